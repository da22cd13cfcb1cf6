import { useState, type FormEvent } from "react";

import { Button } from "../parts/Button";
import { Dialog } from "../parts/Dialog";
import { Field } from "../parts/Field";
import { KeyList } from "../parts/KeyList";
import { METRICS_PER_CHART_MAX } from "../queries/samples";
import { matching } from "./sections";
import type { OwnChart } from "./specs";

interface Props {
  chart: OwnChart;
  metrics: string[];
  onChart: (chart: OwnChart) => void;
  onClose: () => void;
}

/** Makes or changes a chart of several metrics: those that are chosen, or those that a regular expression finds. */
export function OwnChartDialog({ chart, metrics, onChart, onClose }: Props) {
  const [title, setTitle] = useState(chart.title ?? "");
  const [pattern, setPattern] = useState(chart.pattern ?? "");
  const [keys, setKeys] = useState<ReadonlySet<string>>(new Set(chart.keys));
  const found = pattern ? matching(metrics, pattern) : null;
  const count = pattern ? (found?.length ?? 0) : keys.size;
  const toggle = (key: string) =>
    setKeys((now) => (now.has(key) ? new Set([...now].filter((one) => one !== key)) : new Set([...now, key])));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const of = pattern ? { pattern } : { keys: [...keys] };
    onChart({ ...(title.trim() ? { title: title.trim() } : {}), ...of });
    onClose();
  };
  return (
    <Dialog
      open
      title="Chart of several metrics"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="own-chart" disabled={count === 0}>
            Show the chart
          </Button>
        </>
      }
    >
      <form id="own-chart" onSubmit={submit}>
        <Field label="Title" value={title} onChange={(event) => setTitle(event.target.value)} />
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
      </form>
    </Dialog>
  );
}

function hint(count: number, isPattern: boolean): string {
  if (count > METRICS_PER_CHART_MAX) return `It finds ${count}; a chart shows the first ${METRICS_PER_CHART_MAX}.`;
  if (isPattern) return `It finds ${count} ${count === 1 ? "metric" : "metrics"}.`;
  return "Or choose them below.";
}
