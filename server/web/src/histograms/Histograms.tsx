import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useRef, useState } from "react";

import { useVisible } from "../charts/useVisible";
import { wholeNumber } from "../format/numbers";
import type { HistogramName } from "../gen/stepwell_api/v1/histograms_pb";
import { Field } from "../parts/Field";
import { Empty, Failure, Loading } from "../parts/Notice";
import { histogramNamesQuery, histogramsQuery } from "../queries/histograms";
import { HeatMap } from "./HeatMap";
import styles from "./Histograms.module.css";

/** Columns of a map, at most; of more steps, evenly many are left out. */
const STEPS_MAX = 300;
const CARDS_MAX = 500;

/** How values of a run are distributed over its steps, name by name. */
export function Histograms({ runId, live }: { runId: string; live: boolean }) {
  const names = useQuery(histogramNamesQuery(runId, live));
  const [text, setText] = useState("");
  const wanted = useDeferredValue(text.toLowerCase());
  if (names.isPending) return <Loading what="histograms" />;
  if (names.isLoadingError) return <Failure error={names.error} retry={() => void names.refetch()} />;
  if (names.data.length === 0)
    return <Empty title="No histograms">log_histogram("gradients", values, step=step) brings them here.</Empty>;
  const found = names.data.filter(({ key }) => key.toLowerCase().includes(wanted));
  return (
    <div className={styles.page}>
      <div className={styles.tools}>
        <Field
          label="Search histograms"
          hideLabel
          type="search"
          placeholder="Search histograms"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </div>
      <div className={styles.cards}>
        {found.slice(0, CARDS_MAX).map((name) => (
          <Card key={name.key} runId={runId} name={name} live={live} />
        ))}
      </div>
      {found.length > CARDS_MAX && <p>{wholeNumber(found.length - CARDS_MAX)} more: search for them.</p>}
    </div>
  );
}

function Card({ runId, name: { key, steps }, live }: { runId: string; name: HistogramName; live: boolean }) {
  const place = useRef<HTMLElement>(null);
  const visible = useVisible(place);
  const found = useQuery({ ...histogramsQuery(runId, key, STEPS_MAX, live), enabled: visible });
  return (
    <section ref={place} className={styles.card} aria-label={`Histograms of ${key}`}>
      <h3 title={key}>{key}</h3>
      {found.data && found.data.histograms.length > 0 && <HeatMap name={key} histograms={found.data.histograms} />}
      {found.isLoadingError && <Failure error={found.error} retry={() => void found.refetch()} />}
      {steps > STEPS_MAX && (
        <p className={styles.told}>
          {wholeNumber(STEPS_MAX)} of {wholeNumber(steps)} steps
        </p>
      )}
    </section>
  );
}
