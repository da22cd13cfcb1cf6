import { getRouteApi, Link } from "@tanstack/react-router";
import { Fragment } from "react";

import { fullNumber, shortNumber } from "../../format/numbers";
import { comparedVersions, type Group } from "../../models/compared";
import { Empty, Loading } from "../../parts/Notice";
import { Time } from "../../parts/Time";
import { useTitle } from "../../parts/useTitle";
import { useComparedVersions, type KnownVersion } from "../../queries/comparedVersions";
import { Unshown } from "../Missing";
import styles from "../compare/ComparePage.module.css";
import { Stage } from "./Stage";
import { COMPARED_MAX } from "./VersionsTable";

const route = getRouteApi("/models/$name/compare");

/** Versions side by side: params, metrics and schema, those that differ alone or all. */
export function CompareVersions() {
  const { name } = route.useParams();
  const { versions = [], all } = route.useSearch();
  const navigate = route.useNavigate();
  const numbers = [...new Set(versions.map(Number))].filter((one) => one > 0).slice(0, COMPARED_MAX);
  const { known, isPending, error } = useComparedVersions(name, numbers);
  useTitle(`Versions of ${name}`);
  if (numbers.length === 0) return <Empty title="No versions to compare">Choose some in the table of versions.</Empty>;
  if (isPending) return <Loading what="the versions" />;
  if (error) return <Unshown error={error} />;
  const groups = comparedVersions(known)
    .map(({ title, rows }) => ({ title, rows: all ? rows : rows.filter((row) => row.differs) }))
    .filter(({ rows }) => rows.length > 0);
  return (
    <div className={styles.page}>
      <header className={styles.header}>
        <Link to="/models">Models</Link>
        <span aria-hidden="true">/</span>
        <Link to="/models/$name" params={{ name }} className={styles.experiments} title={name}>
          {name}
        </Link>
        <span aria-hidden="true">/</span>
        <h1>{known.length} versions compared</h1>
        <label>
          <input
            type="checkbox"
            checked={!all}
            onChange={(event) =>
              void navigate({ search: (now) => ({ ...now, all: event.target.checked ? undefined : true }) })
            }
          />{" "}
          Differences only
        </label>
      </header>
      <div className={styles.scroll}>
        <Compared known={known} groups={groups} />
        {groups.length === 0 && <p className={styles.same}>Params, metrics and schema are all the same.</p>}
      </div>
    </div>
  );
}

function Compared({ known, groups }: { known: KnownVersion[]; groups: Group[] }) {
  return (
    <table className={styles.table}>
      <thead>
        <tr>
          <th aria-label="Key" />
          {known.map(({ version: { name, version } }) => (
            <th key={version} scope="col">
              <Link to="/models/$name/versions/$version" params={{ name, version: String(version) }}>
                Version {version}
              </Link>
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        <tr>
          <th scope="row">Stage</th>
          {known.map(({ version }) => (
            <td key={version.version}>
              <Stage stage={version.stage} />
            </td>
          ))}
        </tr>
        <tr>
          <th scope="row">Registered</th>
          {known.map(({ version }) => (
            <td key={version.version}>
              <Time ms={version.creationTimeMs} relative={false} />
            </td>
          ))}
        </tr>
        {groups.map(({ title, rows }) => (
          <Fragment key={title}>
            <tr className={styles.group}>
              <th scope="rowgroup" colSpan={known.length + 1}>
                {title} <small>{rows.length.toLocaleString("en-US")}</small>
              </th>
            </tr>
            {rows.map(({ key, values }) => (
              <tr key={key}>
                <th scope="row">{key}</th>
                {values.map((value, place) => (
                  <td
                    key={place}
                    className={Object.is(value, values[0]) ? "" : styles.different}
                    title={typeof value === "number" ? fullNumber(value) : value}
                  >
                    {typeof value === "number" ? shortNumber(value, 5) : (value ?? "–")}
                  </td>
                ))}
              </tr>
            ))}
          </Fragment>
        ))}
      </tbody>
    </table>
  );
}
