import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";

import { Charts } from "../../charts/Charts";
import { colorOf } from "../../charts/colors";
import { nodesOf, nodesTogether } from "../../charts/nodes";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import type { Writer } from "../../gen/stepwell_api/v1/writers_pb";
import { METRICS } from "../../parts/firstSteps";
import { Empty } from "../../parts/Notice";
import { Script } from "../../parts/Script";
import { SYSTEM_PREFIX } from "../../queries/run";
import { METRICS_PER_CHART_MAX, processId } from "../../queries/samples";
import { writersQuery } from "../../queries/writers";
import { useTheme } from "../../theme/theme";
import type { ChartsView } from "../../url/chartsView";
import { useRunColors } from "../runs/runs";
import styles from "./RunCharts.module.css";

interface Props {
  run: Run;
  metrics: string[];
  live: boolean;
  view: ChartsView;
  change: (part: Partial<ChartsView>) => void;
}

const route = getRouteApi("/experiments/$experimentId/runs/$runId");
/** Lines of a chart that has one for each process; each is asked for by itself. The first ones by rank. */
const PROCESSES_MAX = 16;

/** Charts of a run's metrics; of several processes or machines together, or each with lines of its own. */
export function RunCharts({ run, metrics, live, view, change }: Props) {
  const dark = useTheme() === "dark";
  const id = run.info?.runId ?? "";
  const name = run.info?.name ?? "";
  const itself = useMemo(() => [run], [run]);
  const color = useRunColors(itself, itself).get(id) ?? "";
  const startMs = Number(run.info?.startTimeMs ?? 0n);
  const { processes, nodes } = route.useSearch();
  const found = useQuery(writersQuery(id, live));
  const writers = found.data?.writers.filter(({ position }) => position > 0n) ?? [];
  const apart = processes === "apart" && writers.length > 1 ? writers.slice(0, PROCESSES_MAX) : [];
  const apartKey = apart.map(({ writerId }) => writerId).join();
  const runs = useMemo(() => {
    const whole = [id, { name, color, startMs }] as const;
    const looks = apart.map((writer, place) => {
      const look = { name: nameOf(writer, apart), color: colorOf(place, dark), startMs };
      return [processId(id, writer.writerId), look] as const;
    });
    const all = new Map(looks.length ? looks : [whole]);
    return { ids: [...all.keys()], looks: all, live };
  }, [id, name, color, startMs, dark, live, apartKey]);
  const machines = nodesOf(metrics.filter((key) => key.startsWith(SYSTEM_PREFIX)));
  const together = machines.length > 1 && nodes !== "apart";
  const specs = useMemo(
    () => (together ? (keys: string[]) => nodesTogether(keys, METRICS_PER_CHART_MAX) : undefined),
    [together],
  );
  if (metrics.length === 0)
    return (
      <Empty title="No metrics yet">
        <Script title="Python, in the run" text={METRICS} />
      </Empty>
    );
  return (
    <div className={styles.charts}>
      {(writers.length > 1 || machines.length > 1) && (
        <div className={styles.bar}>
          {writers.length > 1 && <Switch name="processes" label="A line for each process" isOn={apart.length > 0} />}
          {machines.length > 1 && <Switch name="nodes" label="Machines in charts of their own" isOn={!together} />}
          {apart.length > 0 && (
            <ul className={styles.legend} aria-label="Processes">
              {[...runs.looks].map(([key, look]) => (
                <li key={key}>
                  <i style={{ background: look.color }} />
                  {look.name}
                </li>
              ))}
              {writers.length > PROCESSES_MAX && (
                <li>
                  the first {PROCESSES_MAX} of {writers.length}
                </li>
              )}
            </ul>
          )}
        </div>
      )}
      <Charts metrics={metrics} runs={runs} view={view} change={change} syncKey={`run-${id}`} specs={specs} />
    </div>
  );
}

function Switch({ name, label, isOn }: { name: "processes" | "nodes"; label: string; isOn: boolean }) {
  const navigate = route.useNavigate();
  return (
    <label className={styles.switch}>
      <input
        type="checkbox"
        checked={isOn}
        onChange={() =>
          void navigate({ search: (now) => ({ ...now, [name]: isOn ? undefined : "apart" }), replace: true })
        }
      />
      {label}
    </label>
  );
}

/** What people call a process: its rank; where there is none, or another with the same, its machine and number, too. */
function nameOf({ rank, host, processId: number, writerId }: Writer, all: Writer[]): string {
  const isAlone = rank !== undefined && all.every((one) => one.rank !== rank || one.writerId === writerId);
  if (isAlone) return `rank ${rank}`;
  return `${rank === undefined ? "" : `rank ${rank}, `}${host}:${number}`;
}
