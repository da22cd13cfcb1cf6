import { useState, type FormEvent } from "react";

import { counted } from "../format/numbers";
import { Button } from "../parts/Button";
import { Dialog } from "../parts/Dialog";
import { Field } from "../parts/Field";
import { KeyList } from "../parts/KeyList";
import { METRICS_PER_CHART_MAX } from "../queries/samples";
import { AxisFields, usualAxes } from "../plots/AxisFields";
import { PLOT_KINDS, PLOTS, type PlotKind } from "../plots/kinds";
import styles from "./OwnChartDialog.module.css";
import { matching } from "./sections";
import type { OwnChart } from "./specs";

interface Props {
  chart: OwnChart;
  metrics: string[];
  /** Columns that may be axes of plots; none where plots make no sense. */
  columnIds: string[];
  onChart: (chart: OwnChart) => void;
  onClose: () => void;
}

/** Makes or changes a chart of several metrics (chosen, or found by a regular expression), or a plot over columns. */
export function OwnChartDialog({ chart, metrics, columnIds, onChart, onClose }: Props) {
  const [kind, setKind] = useState<PlotKind | undefined>(chart.kind);
  const [columns, setColumns] = useState(chart.columns ?? []);
  const [title, setTitle] = useState(chart.title ?? "");
  const [pattern, setPattern] = useState(chart.pattern ?? "");
  const [keys, setKeys] = useState<ReadonlySet<string>>(new Set(chart.keys));
  const found = pattern ? matching(metrics, pattern) : null;
  const count = pattern ? (found?.length ?? 0) : keys.size;
  const isWhole = kind ? columns.filter(Boolean).length >= PLOTS[kind].needed : count > 0;
  const isOfLines = metrics.length > 0;
  const choose = (next: PlotKind | undefined) => {
    setKind(next);
    setColumns(next ? usualAxes(next, columnIds) : []);
  };
  const toggle = (key: string) =>
    setKeys((now) => (now.has(key) ? new Set([...now].filter((one) => one !== key)) : new Set([...now, key])));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const of = kind ? { kind, columns } : pattern ? { pattern } : { keys: [...keys] };
    onChart({ ...(title.trim() ? { title: title.trim() } : {}), ...of });
    onClose();
  };
  return (
    <Dialog
      open
      title={chart.keys || chart.pattern || chart.kind ? "Change the chart" : "New chart"}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="own-chart" disabled={!isWhole}>
            Show the chart
          </Button>
        </>
      }
    >
      <form id="own-chart" onSubmit={submit}>
        <Field label="Title" value={title} onChange={(event) => setTitle(event.target.value)} />
        {columnIds.length > 0 && <KindChoice kind={kind} onKind={choose} isOfLines={isOfLines} />}
        {kind ? (
          <AxisFields key={kind} kind={kind} ids={columnIds} chosen={columns} onChosen={setColumns} />
        ) : (
          <>
            <Field
              label="Metrics that a regular expression finds"
              spellCheck={false}
              placeholder="^(train|val)/loss$"
              value={pattern}
              problem={pattern && found === null ? "This is not a regular expression." : null}
              hint={hint(count, !!pattern)}
              onChange={(event) => setPattern(event.target.value)}
            />
            {!pattern && <KeyList label="Metrics of the chart" keys={metrics} chosen={keys} onToggle={toggle} />}
          </>
        )}
      </form>
    </Dialog>
  );
}

interface KindProps {
  kind: PlotKind | undefined;
  onKind: (kind: PlotKind | undefined) => void;
  isOfLines: boolean;
}

function KindChoice({ kind, onKind, isOfLines }: KindProps) {
  return (
    <label className={styles.kind}>
      Kind
      <select value={kind ?? "lines"} onChange={({ target }) => onKind(PLOT_KINDS.find((one) => one === target.value))}>
        {isOfLines && <option value="lines">Lines</option>}
        {PLOT_KINDS.map((one) => (
          <option key={one} value={one}>
            {PLOTS[one].label}
          </option>
        ))}
      </select>
    </label>
  );
}

function hint(count: number, isPattern: boolean): string {
  if (count > METRICS_PER_CHART_MAX) return `It finds ${count}; a chart shows the first ${METRICS_PER_CHART_MAX}.`;
  if (isPattern) return `It finds ${counted(count, "metric")}.`;
  return "Or choose them below.";
}
