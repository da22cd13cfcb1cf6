import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useRef, useState } from "react";

import { runsCsvAddress } from "../../api/runsCsv";
import { counted } from "../../format/numbers";
import { AskText } from "../../parts/AskText";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { say, told } from "../../parts/toast";
import { useIsThere } from "../../parts/useSending";
import { namedRunsQuery, useRunChanges, type Projection } from "../../queries/runs";
import { runIdOf } from "../../table/rows";
import { PINNED_MAX, type RunsView } from "../../url/runsView";
import { useMay } from "../access/may";
import { csvColumns, type Asked } from "./asked";
import { NewTag } from "./NewTag";
import styles from "./RunsPage.module.css";

import type { Selection as Selected } from "./useSelection";

interface Props {
  asked: Asked;
  selection: Selected;
  /** Those of the table. */
  runs: Run[];
  view: RunsView;
  change: (part: Partial<RunsView>) => void;
}

const NAME_ALONE: Projection = { params: [], metrics: [], tags: [], summaries: false };

type Asking = "tag" | "rename" | "delete";

/** What can be done with the runs that are selected. */
export function Selection({ asked, selection, runs, view, change }: Props) {
  const { runIds, count, isEverything, chosen, clear } = selection;
  const { remove, restore, rename, tag } = useRunChanges();
  const [asking, setAsking] = useState<Asking | null>(null);
  const may = useMay();
  const isThere = useIsThere();
  const latest = useRef(chosen.filter);
  latest.current = chosen.filter;
  const one = runIds.length === 1 ? runIds[0] : undefined;
  const listed = runs.find((run) => runIdOf(run) === one);
  // Its row may be closed, or further down than what is known.
  const named = useQuery(namedRunsQuery(one && !listed ? [one] : [], NAME_ALONE));
  const single = one ? (listed ?? named.data?.find((run) => runIdOf(run) === one)) : undefined;
  if (count === 0 || (count === undefined && !isEverything)) return null;
  const those = count === undefined ? "all runs" : counted(count, "run");
  // Others may be selected by then.
  const clearThese = () => isThere() && latest.current === chosen.filter && clear();
  const bringBack = () =>
    told(restore.mutateAsync(chosen), ({ runs }) => {
      say(`${counted(runs, "run")} restored`);
      clearThese();
    });
  const takeAway = () =>
    told(remove.mutateAsync(chosen), ({ runs }) => {
      // Everything that a filter finds cannot be told later from what was deleted before.
      say(`${counted(runs, "run")} deleted`, isEverything ? undefined : bringBack);
      clearThese();
    });
  const tagAll = async (key: string, value: string) => {
    const { runs } = await tag.mutateAsync({ chosen, key, value });
    say(`${counted(runs, "run")} tagged`);
  };
  const pinned = view.pinned ?? [];
  const pin = () => {
    const next = [...new Set([...pinned, ...runIds])];
    if (next.length > PINNED_MAX) say(`At most ${PINNED_MAX} runs are pinned`);
    else change({ pinned: next });
  };
  const hide = () => change({ hidden: [...new Set([...(view.hidden ?? []), ...runIds])] });
  return (
    <div className={styles.selection} role="toolbar" aria-label="Selected runs">
      <b>{those} selected</b>
      {runIds.length > 1 && (
        <Link to="/compare" search={{ runs: runIds }} className={styles.action}>
          Compare
        </Link>
      )}
      <a
        className={styles.action}
        download
        href={runsCsvAddress({ ...asked.search, ...chosen, columns: csvColumns(asked) })}
      >
        CSV
      </a>
      {may.write && !view.deleted && <Button onClick={() => setAsking("tag")}>Tag</Button>}
      {may.write && !view.deleted && single && <Button onClick={() => setAsking("rename")}>Rename</Button>}
      {runIds.length > 0 && <Button onClick={pin}>Pin</Button>}
      {runIds.length > 0 && <Button onClick={hide}>Hide in charts</Button>}
      {!may.write ? null : view.deleted ? (
        <Button isBusy={restore.isPending} onClick={bringBack}>
          Restore
        </Button>
      ) : (
        <Button kind="danger" isBusy={remove.isPending} onClick={isEverything ? () => setAsking("delete") : takeAway}>
          Delete
        </Button>
      )}
      <Button kind="quiet" onClick={clear}>
        Clear
      </Button>
      {asking === "tag" && <NewTag title={`Tag ${those}`} answer={tagAll} onClose={() => setAsking(null)} />}
      {asking === "rename" && single && (
        <AskText
          title="Rename run"
          label="Name"
          verb="Rename"
          value={single.info?.name ?? ""}
          answer={(name) => rename.mutateAsync({ runId: runIdOf(single), name })}
          onClose={() => setAsking(null)}
        />
      )}
      {asking === "delete" && (
        <Dialog
          open
          title={`Delete ${those}?`}
          description="They can be restored: show the deleted runs, select them, and restore."
          onClose={() => setAsking(null)}
          footer={
            <>
              <Button onClick={() => setAsking(null)}>Cancel</Button>
              <Button kind="danger" onClick={() => (setAsking(null), takeAway())}>
                Delete
              </Button>
            </>
          }
        >
          {null}
        </Dialog>
      )}
    </div>
  );
}
