import { artifactUrl } from "../queries/artifacts";
import { cellText, pictureOf, type Table } from "./tables";
import styles from "./Viewer.module.css";

const ROWS_SHOWN = 1_000;

/** A table; pictures in its cells are shown. */
export function TableView({ table, runId }: { table: Table; runId: string }) {
  return (
    <div className={styles.scroll}>
      <table className={styles.table}>
        <thead>
          <tr>
            {table.columns.map((name, place) => (
              <th key={place} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.slice(0, ROWS_SHOWN).map((row, number) => (
            <tr key={number}>
              {row.map((cell, place) => {
                const picture = pictureOf(cell);
                return (
                  <td key={place}>
                    {picture ? <img src={artifactUrl(runId, picture)} alt={picture} loading="lazy" /> : cellText(cell)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      {table.rows.length > ROWS_SHOWN && (
        <p className={styles.note}>
          The first {ROWS_SHOWN.toLocaleString("en-US")} of {table.rows.length.toLocaleString("en-US")} rows.
        </p>
      )}
    </div>
  );
}
