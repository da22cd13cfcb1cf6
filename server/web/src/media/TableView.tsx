import { useState } from "react";

import { counted, fullNumber, shortNumber, wholeNumber } from "../format/numbers";
import { Button } from "../parts/Button";
import { artifactUrl } from "../queries/artifacts";
import { sharpen } from "./sharpen";
import { cellText, pictureOf, type Table } from "./tables";
import styles from "./Viewer.module.css";

const ROWS_SHOWN = 1_000;
const DIGITS = 6;

/** A table; pictures in its cells are shown, and where there are some, its rows can be cards in a grid. */
export function TableView({ table, runId }: { table: Table; runId: string }) {
  const [asGrid, setAsGrid] = useState(false);
  const shown = { columns: table.columns, rows: table.rows.slice(0, ROWS_SHOWN) };
  const hasPictures = shown.rows.some((row) => row.some(pictureOf));
  const isCut = table.rows.length > ROWS_SHOWN;
  return (
    <>
      {(hasPictures || isCut) && (
        <p className={styles.tools}>
          <span>
            {isCut && `The first ${wholeNumber(ROWS_SHOWN)} of `}
            {counted(table.rows.length, "row")}
          </span>
          {hasPictures && (
            <Button aria-pressed={asGrid} onClick={() => setAsGrid(!asGrid)}>
              {asGrid ? "As a table" : "As a grid"}
            </Button>
          )}
        </p>
      )}
      {asGrid && hasPictures ? <Cards table={shown} runId={runId} /> : <Rows table={shown} runId={runId} />}
    </>
  );
}

interface Props {
  table: Table;
  runId: string;
}

function Rows({ table, runId }: Props) {
  return (
    <div className={styles.scroll}>
      <table className={styles.table}>
        <thead>
          <tr>
            {table.columns.map((name, place) => (
              <th key={place} scope="col" className={isNumber(table.rows[0]?.[place]) ? styles.number : undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, number) => (
            <tr key={number}>
              {row.map((cell, place) => (
                <td key={place} className={isNumber(cell) ? styles.number : undefined} title={titleOf(cell)}>
                  <Cell cell={cell} runId={runId} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Rows as cards: their pictures, and below them what else they have. */
function Cards({ table, runId }: Props) {
  return (
    <div className={styles.cards} role="list">
      {table.rows.map((row, number) => (
        <article key={number} className={styles.card} role="listitem">
          {row.filter(pictureOf).map((cell, place) => (
            <Cell key={place} cell={cell} runId={runId} />
          ))}
          <dl>
            {row.map((cell, place) =>
              pictureOf(cell) ? null : (
                <div key={place} style={{ display: "contents" }}>
                  <dt>{table.columns[place]}</dt>
                  <dd title={titleOf(cell)}>
                    <Cell cell={cell} runId={runId} />
                  </dd>
                </div>
              ),
            )}
          </dl>
        </article>
      ))}
    </div>
  );
}

function Cell({ cell, runId }: { cell: unknown; runId: string }) {
  const picture = pictureOf(cell);
  if (picture) return <img src={artifactUrl(runId, picture)} alt={picture} loading="lazy" onLoad={sharpen} />;
  return isNumber(cell) ? shortNumber(cell, DIGITS) : cellText(cell);
}

function isNumber(cell: unknown): cell is number {
  return typeof cell === "number";
}

function titleOf(cell: unknown): string | undefined {
  if (isNumber(cell)) return fullNumber(cell);
  return pictureOf(cell) ? undefined : cellText(cell) || undefined;
}
