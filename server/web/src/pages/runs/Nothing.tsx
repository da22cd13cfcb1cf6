import { isAway } from "../../api/failures";
import { Button } from "../../parts/Button";
import { firstRun } from "../../parts/firstSteps";
import { Empty, Failure, Loading } from "../../parts/Notice";
import { Script } from "../../parts/Script";
import type { RunsView } from "../../url/runsView";
import { LoginFirst } from "../access/LoginFirst";
import type { Rows } from "./useRows";

interface Props {
  found: Rows;
  view: RunsView;
  /** Of the experiment. */
  name: string;
  change: (part: Partial<RunsView>) => void;
}

/** What stands in the place of a table without rows, and how to get some. */
export function Nothing({ found, view, name, change }: Props) {
  if (found.isPending) return <Loading what="runs" />;
  if (found.error && (!view.q || isAway(found.error))) return <Failure error={found.error} retry={found.refetch} />;
  if (found.error) return <Empty title="The filter has a mistake" />;
  if (view.q)
    return (
      <Empty title="No run fulfils the filter">
        <Button onClick={() => change({ q: undefined })}>Show all runs</Button>
      </Empty>
    );
  if (view.deleted) return <Empty title="No run is deleted" />;
  return (
    <Empty title="No runs yet">
      <LoginFirst />
      <p>Put this into a file or a notebook and run it.</p>
      <Script title="Python" text={firstRun(name)} />
    </Empty>
  );
}
