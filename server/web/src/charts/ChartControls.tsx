import { Popover } from "radix-ui";
import { useState } from "react";

import { Button } from "../parts/Button";
import { Dialog } from "../parts/Dialog";
import { PlusIcon } from "../parts/icons";
import { KeyList } from "../parts/KeyList";
import type { ChartsView } from "../url/chartsView";
import styles from "./ChartControls.module.css";
import type { ChartSize } from "./ChartGrid";
import { axisName, type Axis } from "./ticks";

interface Props {
  view: ChartsView;
  change: (part: Partial<ChartsView>) => void;
  metrics: string[];
  patternIsBad: boolean;
  /** The runs are in groups. */
  isGrouped: boolean;
  onNewChart: () => void;
}

const ANOTHER = "another";

/** What all charts of the page have in common: which metrics, and how they are drawn. */
export function ChartControls({ view, change, metrics, patternIsBad, isGrouped, onNewChart }: Props) {
  const smoothing = view.smoothing ?? 0;
  return (
    <div className={styles.controls}>
      <input
        type="search"
        className={styles.metrics}
        aria-label="Metrics by regular expression"
        aria-invalid={patternIsBad}
        placeholder="Metrics (regex)"
        value={view.metrics ?? ""}
        onChange={(event) => change({ metrics: event.target.value || undefined })}
      />
      {patternIsBad && (
        <p role="alert" className={styles.problem}>
          This is not a regular expression: all metrics are shown.
        </p>
      )}
      <AxisChoice axis={view.axis ?? "step"} metrics={metrics} change={change} />
      <label>
        Smoothing
        <input
          type="range"
          min={0}
          max={0.99}
          step={0.01}
          value={smoothing}
          aria-valuetext={smoothing ? String(smoothing) : "off"}
          onChange={(event) => change({ smoothing: Number(event.target.value) || undefined })}
        />
        <output>{smoothing || "off"}</output>
      </label>
      <Popover.Root>
        <Popover.Trigger asChild>
          <Button>Axes</Button>
        </Popover.Trigger>
        <Popover.Portal>
          <Popover.Content className={styles.more} align="end" sideOffset={4}>
            <Flag label="Logarithmic y" on={!!view.logY} set={(on) => change({ logY: on || undefined })} />
            <Flag label="Logarithmic x" on={!!view.logX} set={(on) => change({ logX: on || undefined })} />
            <Flag
              label="Ignore outliers"
              on={view.outliers === "ignored"}
              set={(on) => change({ outliers: on ? "ignored" : undefined })}
            />
            <Flag
              label="Band of extremes"
              on={view.band !== "off"}
              set={(on) => change({ band: on ? undefined : "off" })}
            />
            <Flag
              label="Points hidden by resumes"
              on={!!view.withHidden}
              set={(on) => change({ withHidden: on || undefined })}
            />
            <Flag
              label="Train and validation together"
              on={!!view.together}
              set={(on) => change({ together: on || undefined })}
            />
            {isGrouped && <GroupChoice view={view} change={change} />}
            <label>
              Size
              <select
                value={view.size ?? "small"}
                onChange={(event) => {
                  const size = event.target.value as ChartSize;
                  change({ size: size === "small" ? undefined : size });
                }}
              >
                <option value="small">small</option>
                <option value="large">large</option>
                <option value="huge">huge</option>
              </select>
            </label>
            {view.moved && <Button onClick={() => change({ moved: undefined })}>Order by name again</Button>}
          </Popover.Content>
        </Popover.Portal>
      </Popover.Root>
      <Button icon={<PlusIcon size={14} />} title="New chart" onClick={onNewChart}>
        <span className={styles.word}>New chart</span>
      </Button>
    </div>
  );
}

function GroupChoice({ view, change }: Pick<Props, "view" | "change">) {
  return (
    <>
      <Flag
        label="One line a group"
        on={view.lines !== "runs"}
        set={(on) => change({ lines: on ? undefined : "runs" })}
      />
      <label>
        Band of a group
        <select
          value={view.spread ?? "deviation"}
          onChange={({ target }) => change({ spread: target.value === "extremes" ? "extremes" : undefined })}
        >
          <option value="deviation">standard deviation</option>
          <option value="extremes">least to greatest run</option>
        </select>
      </label>
    </>
  );
}

interface AxisProps {
  axis: Axis;
  metrics: string[];
  change: (part: Partial<ChartsView>) => void;
}

function AxisChoice({ axis, metrics, change }: AxisProps) {
  const [choosing, setChoosing] = useState(false);
  const isMetric = axis.startsWith("metric:");
  return (
    <label>
      <span className={styles.word}>x</span>
      <select
        title="Horizontal axis"
        aria-label="Horizontal axis"
        value={axis}
        onChange={({ target: { value } }) => {
          if (value === ANOTHER) setChoosing(true);
          else change({ axis: value === "step" ? undefined : (value as ChartsView["axis"]) });
        }}
      >
        <option value="step">step</option>
        <option value="time">time</option>
        <option value="relative">time since start</option>
        {isMetric && <option value={axis}>{axisName(axis)}</option>}
        <option value={ANOTHER}>another metric …</option>
      </select>
      {choosing && (
        <Dialog open title="Draw over a metric" onClose={() => setChoosing(false)}>
          <KeyList
            label="Metric for the horizontal axis"
            keys={metrics}
            chosen={new Set(isMetric ? [axisName(axis)] : [])}
            single
            onToggle={(key) => {
              change({ axis: `metric:${key}` });
              setChoosing(false);
            }}
          />
        </Dialog>
      )}
    </label>
  );
}

function Flag({ label, on, set }: { label: string; on: boolean; set: (on: boolean) => void }) {
  return (
    <label>
      <input type="checkbox" checked={on} onChange={(event) => set(event.target.checked)} /> {label}
    </label>
  );
}
