import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useDeferredValue, useState } from "react";

import { Answer } from "../parts/Answer";
import { Button } from "../parts/Button";
import { Field } from "../parts/Field";
import { Empty } from "../parts/Notice";
import { PlusIcon } from "../parts/icons";
import { experimentsQuery } from "../queries/experiments";
import { nameFilter } from "../url/filters";
import { useMayCreate } from "./access/may";
import styles from "./ExperimentsPage.module.css";
import { ExperimentsTable } from "./ExperimentsTable";
import { FirstSteps } from "./FirstSteps";
import { NewExperiment } from "./NewExperiment";

const route = getRouteApi("/");
// An address holds the numbers of as many.
const TOGETHER_MAX = 50;
/** Who has more experiments knows how runs are logged. */
const FEW = 3;

/** All experiments: search, create, rename, describe, delete, restore. */
export function ExperimentsPage() {
  const { q = "", deleted = false } = route.useSearch();
  const navigate = route.useNavigate();
  const filter = useDeferredValue(nameFilter(q));
  const found = useInfiniteQuery(experimentsQuery(filter, deleted));
  const [creating, setCreating] = useState(false);
  const mayCreate = useMayCreate();
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const select = (id: string, on: boolean) =>
    setSelected((now) => new Set(on ? [...now, id].slice(-TOGETHER_MAX) : [...now].filter((one) => one !== id)));
  const nothing = q ? "No experiment matches" : deleted ? "No experiment is deleted" : "No experiments yet";
  return (
    <div className={styles.page}>
      <header className={styles.header}>
        <h1>Experiments</h1>
        {mayCreate && (
          <Button kind="primary" icon={<PlusIcon />} onClick={() => setCreating(true)}>
            New experiment
          </Button>
        )}
      </header>
      <div className={styles.bar}>
        <Field
          label="Search experiments"
          hideLabel
          type="search"
          data-search
          placeholder="Search by name, or tags.team = 'vision'"
          className={styles.search}
          value={q}
          onChange={(event) =>
            void navigate({ search: (old) => ({ ...old, q: event.target.value || undefined }), replace: true })
          }
        />
        <label className={styles.toggle}>
          <input
            type="checkbox"
            checked={deleted}
            onChange={(event) =>
              void navigate({ search: (old) => ({ ...old, deleted: event.target.checked || undefined }) })
            }
          />
          Deleted
        </label>
        {selected.size > 0 && (
          <Link to="/experiments/$experimentId" params={{ experimentId: [...selected].join(",") }}>
            {selected.size === 1 ? "Open 1 experiment" : `Open ${selected.size} experiments together`}
          </Link>
        )}
      </div>
      <Answer found={found} what="experiments" empty={<Empty title={nothing} />}>
        {(experiments) => (
          <>
            <ExperimentsTable experiments={experiments} deleted={deleted} selected={selected} onSelect={select} />
            {!q && !deleted && experiments.length <= FEW && (
              <FirstSteps experimentIds={experiments.map(({ experimentId }) => experimentId)} />
            )}
          </>
        )}
      </Answer>
      {creating && <NewExperiment onClose={() => setCreating(false)} />}
    </div>
  );
}
