import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useMemo, useRef, useState } from "react";

import { colorOf } from "../../charts/colors";
import { useWidth } from "../../charts/useWidth";
import { counted, fullNumber, wholeNumber } from "../../format/numbers";
import type { LoggedModel } from "../../gen/stepwell_api/v1/models_pb";
import { stepCharts, type Measurement, type StepChart } from "../../models/steps";
import { Empty } from "../../parts/Notice";
import { Frame, pixels } from "../../plots/Frame";
import plot from "../../plots/Plot.module.css";
import { scaleOf } from "../../plots/scale";
import { runNamesQuery } from "../../queries/models";
import { useTheme } from "../../theme/theme";
import styles from "./StepCharts.module.css";

const HEIGHT = 240;
const CHARTS_SHOWN = 24;

interface Props {
  experimentId: bigint;
  models: LoggedModel[];
}

/** What was measured of models, metric by metric over steps: a line for each run, a dot for each model. */
export function StepCharts({ experimentId, models }: Props) {
  const charts = useMemo(() => stepCharts(models), [models]);
  const runIds = [...new Set(models.map(({ sourceRunId }) => sourceRunId))];
  const names = useQuery(runNamesQuery(experimentId, runIds.filter(Boolean)));
  if (charts.length === 0)
    return <Empty title="Nothing was measured of these models">log_metric(…, model_id=…) measures a model.</Empty>;
  return (
    <>
      <div className={styles.charts}>
        {charts.slice(0, CHARTS_SHOWN).map((chart) => (
          <Chart key={chart.title} chart={chart} names={names.data ?? new Map()} runIds={runIds} />
        ))}
      </div>
      {charts.length > CHARTS_SHOWN && (
        <p>
          The first {CHARTS_SHOWN} of {wholeNumber(charts.length)} metrics.
        </p>
      )}
    </>
  );
}

interface ChartProps {
  chart: StepChart;
  names: Map<string, string>;
  /** Their order gives the colours. */
  runIds: string[];
}

function Chart({ chart, names, runIds }: ChartProps) {
  const place = useRef<HTMLElement>(null);
  const width = useWidth(place);
  const dark = useTheme() === "dark";
  const navigate = useNavigate();
  const [hovered, setHovered] = useState<Measurement | null>(null);
  const points = chart.lines.flatMap((line) => line.points);
  const x = scaleOf(
    "step",
    points.map(({ step }) => Number(step)),
    (value) => wholeNumber(value),
  );
  const y = scaleOf(
    "",
    points.map(({ value }) => value),
  );
  const { toX, toY } = pixels(width, HEIGHT);
  const at = ({ step, value }: Measurement) => [toX(x.at(Number(step))), toY(y.at(value))] as const;
  const colour = (runId: string) => colorOf(runIds.indexOf(runId), dark);
  return (
    <figure ref={place} className={styles.chart} aria-label={`Chart of ${chart.title} by step`}>
      <figcaption title={chart.title}>{chart.title}</figcaption>
      {width > 0 && (
        <svg width={width} height={HEIGHT} role="img" aria-label={counted(points.length, "model")}>
          <Frame x={x} y={y} width={width} height={HEIGHT}>
            {chart.lines.map(({ runId, name, points }) => (
              <g key={`${runId} ${name}`} stroke={colour(runId)} fill={colour(runId)}>
                <polyline fill="none" strokeWidth={1.5} points={points.map((one) => at(one).join()).join(" ")} />
                {points.map((one) => (
                  <circle
                    key={`${one.model.modelId} ${one.step}`}
                    className={plot.dot}
                    cx={at(one)[0]}
                    cy={at(one)[1]}
                    r={hovered === one ? 6 : 4}
                    onPointerEnter={() => setHovered(one)}
                    onPointerLeave={() => setHovered(null)}
                    onClick={() =>
                      void navigate({
                        to: "/experiments/$experimentId/models/$modelId",
                        params: { experimentId: String(one.model.experimentId), modelId: one.model.modelId },
                      })
                    }
                  />
                ))}
              </g>
            ))}
          </Frame>
        </svg>
      )}
      <p className={styles.told}>
        {hovered &&
          `${names.get(hovered.model.sourceRunId) ?? ""} · ${hovered.model.name} · step ${wholeNumber(hovered.step)}: ${fullNumber(hovered.value)}`}
      </p>
    </figure>
  );
}
