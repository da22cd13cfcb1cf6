import { getRouteApi } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import type { Row } from "../../compare/rows";
import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { Field } from "../../parts/Field";
import styles from "./ComparePage.module.css";
import { CompareTable } from "./CompareTable";

const route = getRouteApi("/compare");

/** Params, metrics, tags and data sets side by side, those that differ or all, with what searches and chooses them. */
export function CompareValues({
  runs,
  rows,
  colors,
}: {
  runs: Run[];
  rows: Row[];
  colors: ReadonlyMap<string, string>;
}) {
  const view = route.useSearch();
  const navigate = route.useNavigate();
  const [text, setText] = useState("");
  const shown = useMemo(() => {
    const part = text.toLowerCase();
    return rows.filter((row) => (view.all || row.differs) && row.key.toLowerCase().includes(part));
  }, [rows, view.all, text]);
  return (
    <>
      <div className={styles.tools}>
        <Field
          label="Search keys"
          hideLabel
          type="search"
          data-search
          placeholder="Search params, metrics, tags"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <label>
          <input
            type="checkbox"
            checked={view.all !== true}
            onChange={(event) =>
              void navigate({ search: (now) => ({ ...now, all: event.target.checked ? undefined : true }) })
            }
          />
          Differences only
        </label>
      </div>
      <CompareTable
        runs={runs}
        rows={shown}
        colors={colors}
        baseline={Math.max(
          0,
          runs.findIndex((run) => run.info?.runId === view.baseline),
        )}
        onBaseline={(baseline) => void navigate({ search: (now) => ({ ...now, baseline }), replace: true })}
        onRemove={(id) => void navigate({ search: (now) => ({ ...now, runs: now.runs?.filter((one) => one !== id) }) })}
      />
    </>
  );
}
