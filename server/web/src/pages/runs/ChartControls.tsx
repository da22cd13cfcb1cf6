import { Popover } from "radix-ui";

import { Button } from "../../parts/Button";
import type { RunsView } from "../../url/runsView";
import styles from "./ChartControls.module.css";

interface Props {
  view: RunsView;
  change: (part: Partial<RunsView>) => void;
  patternIsBad: boolean;
}

/** What all charts of the page have in common: which metrics, and how they are drawn. */
export function ChartControls({ view, change, patternIsBad }: Props) {
  const smoothing = view.smoothing ?? 0;
  return (
    <div className={styles.controls}>
      <input
        type="search"
        className={styles.metrics}
        aria-label="Metrics by regular expression"
        aria-invalid={patternIsBad}
        title={patternIsBad ? "This is not a regular expression" : undefined}
        placeholder="Metrics (regular expression)"
        value={view.metrics ?? ""}
        onChange={(event) => change({ metrics: event.target.value || undefined })}
      />
      <label>
        x
        <select
          aria-label="Horizontal axis"
          value={view.axis ?? "step"}
          onChange={(event) =>
            change({ axis: event.target.value === "step" ? undefined : (event.target.value as never) })
          }
        >
          <option value="step">step</option>
          <option value="time">time</option>
          <option value="relative">time since start</option>
        </select>
      </label>
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
          </Popover.Content>
        </Popover.Portal>
      </Popover.Root>
    </div>
  );
}

function Flag({ label, on, set }: { label: string; on: boolean; set: (on: boolean) => void }) {
  return (
    <label>
      <input type="checkbox" checked={on} onChange={(event) => set(event.target.checked)} /> {label}
    </label>
  );
}
