import { useDeferredValue, useMemo, useState } from "react";

import type { Param } from "../../gen/stepwell_api/v1/runs_pb";
import { Field } from "../../parts/Field";
import styles from "./RunPage.module.css";

const SHOWN_MAX = 500;

/** All params, searched by name or value. */
export function ParamsTable({ params }: { params: Param[] }) {
  const [text, setText] = useState("");
  const wanted = useDeferredValue(text.toLowerCase());
  const found = useMemo(() => {
    const order = new Intl.Collator("en", { numeric: true }).compare;
    return params
      .filter(({ key, value }) => key.toLowerCase().includes(wanted) || value.toLowerCase().includes(wanted))
      .sort((a, b) => order(a.key, b.key));
  }, [params, wanted]);
  return (
    <section className={styles.box}>
      <header>
        <h2>
          Params <small>{params.length.toLocaleString("en-US")}</small>
        </h2>
        {params.length > 5 && (
          <Field
            label="Search params"
            hideLabel
            type="search"
            placeholder="Search params"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        )}
      </header>
      {params.length === 0 ? (
        <p className={styles.nothing}>None.</p>
      ) : (
        <table className={`${styles.values} ${styles.texts}`}>
          <tbody>
            {found.slice(0, SHOWN_MAX).map(({ key, value }) => (
              <tr key={key}>
                <th scope="row">{key}</th>
                <td>{value}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {found.length > SHOWN_MAX && <p className={styles.nothing}>{found.length - SHOWN_MAX} more: search for them.</p>}
    </section>
  );
}
