import { useState } from "react";

import type { Column, ModelFile } from "../../models/modelFile";
import { Button } from "../../parts/Button";
import run from "../run/RunPage.module.css";
import styles from "./Models.module.css";

const SHOWN_MAX = 100;
const PARTS = [
  ["inputs", "Inputs"],
  ["outputs", "Outputs"],
  ["params", "Params of a prediction"],
] as const;

interface Props {
  file: ModelFile | undefined;
  /** Why there is no file, or it cannot be read. */
  problem: string | null;
}

/** What the model takes and gives, as its signature says. */
export function SchemaBox({ file, problem }: Props) {
  return (
    <section className={run.box} aria-label="Schema">
      <header>
        <h2>Schema</h2>
      </header>
      {file?.schema ? (
        PARTS.map(([part, title]) => <Part key={part} title={title} columns={file.schema?.[part] ?? []} />)
      ) : file ? (
        <p className={run.nothing}>The model has no signature: log it with one, or with an input example.</p>
      ) : (
        <p className={run.nothing}>MLmodel cannot be read. {problem}</p>
      )}
    </section>
  );
}

function Part({ title, columns }: { title: string; columns: Column[] }) {
  const [all, setAll] = useState(false);
  if (columns.length === 0) return null;
  return (
    <>
      <h3 className={styles.part}>
        {title} <small>{columns.length.toLocaleString("en-US")}</small>
      </h3>
      <table className={`${run.values} ${run.texts}`} aria-label={title}>
        <tbody>
          {columns.slice(0, all ? undefined : SHOWN_MAX).map((column, place) => (
            <tr key={place}>
              <th scope="row">{column.name || <span className={styles.required}>unnamed</span>}</th>
              <td>
                {column.type}
                {!column.isRequired && <span className={styles.required}> optional</span>}
                {column.fallback !== undefined && <span className={styles.required}>, else {column.fallback}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {columns.length > SHOWN_MAX && !all && <Button onClick={() => setAll(true)}>Show all</Button>}
    </>
  );
}
