import { isAway } from "../../api/failures";
import { Button } from "../../parts/Button";
import { firstRun } from "../../parts/firstSteps";
import { Empty, Failure, Loading } from "../../parts/Notice";
import { Script } from "../../parts/Script";
import { LifecycleStage, type Experiment } from "../../gen/stepwell_api/v1/runs_pb";
import type { RunsView } from "../../url/runsView";
import { LoginFirst } from "../access/LoginFirst";
import { useMay } from "../access/may";
import type { Rows } from "./useRows";

interface Props {
  found: Rows;
  view: RunsView;
  /** The first one; unknown until the server has answered. */
  experiment: Experiment | undefined;
  change: (part: Partial<RunsView>) => void;
}

/** What stands in the place of a table without rows, and how to get some. */
export function Nothing({ found, view, experiment, change }: Props) {
  const may = useMay();
  if (found.isPending || found.isAwaited) return <Loading what="runs" />;
  if (found.error && (!view.q || isAway(found.error))) return <Failure error={found.error} retry={found.refetch} />;
  if (found.error) return <Empty title="The filter has a mistake" />;
  if (view.q)
    return (
      <Empty title="No run fulfils the filter">
        <Button onClick={() => change({ q: undefined })}>Show all runs</Button>
      </Empty>
    );
  if (view.deleted) return <Empty title="No run is deleted" />;
  // Nobody can log to it, or not this person.
  if (!may.write || experiment?.lifecycleStage === LifecycleStage.DELETED) return <Empty title="No runs" />;
  return (
    <Empty title="No runs yet">
      <LoginFirst />
      <p>Put this into a file or a notebook and run it.</p>
      <Script title="Python" text={firstRun(experiment?.name ?? "")} />
    </Empty>
  );
}
