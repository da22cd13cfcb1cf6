import { useState } from "react";

import type { Column } from "../../models/schema";
import { Button } from "../../parts/Button";
import run from "../run/RunPage.module.css";
import styles from "./Models.module.css";

const SHOWN_MAX = 100;

/** Names and types: of a model's inputs, or of a data set's columns. */
export function SchemaColumns({ title, columns }: { title: string; columns: Column[] }) {
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
