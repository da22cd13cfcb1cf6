import { useState } from "react";

import type { DatasetInput } from "../../gen/stepwell_api/v1/runs_pb";
import { readDatasetSchema } from "../../models/schema";
import { Dialog } from "../../parts/Dialog";
import { SchemaColumns } from "../models/SchemaColumns";
import styles from "./RunPage.module.css";

const CONTEXT_TAG = "mlflow.data.context";

/** The data sets that the run used; each opens with its source, schema and profile. */
export function Datasets({ inputs }: { inputs: DatasetInput[] }) {
  const [opened, setOpened] = useState<DatasetInput | null>(null);
  return (
    <section className={styles.box}>
      <header>
        <h2>Data sets</h2>
      </header>
      <ul className={styles.children}>
        {inputs.map((input) => (
          <li key={`${input.dataset?.name} ${input.dataset?.digest}`}>
            <button type="button" className={styles.link} onClick={() => setOpened(input)}>
              {input.dataset?.name}
            </button>{" "}
            <small>
              {input.dataset?.digest} {input.tags.find((tag) => tag.key === CONTEXT_TAG)?.value}
            </small>
          </li>
        ))}
      </ul>
      {opened?.dataset && (
        <Dialog open wide title={opened.dataset.name} onClose={() => setOpened(null)}>
          <dl className={styles.details}>
            <div>
              <dt>Digest</dt>
              <dd>{opened.dataset.digest}</dd>
            </div>
            <div>
              <dt>Source</dt>
              <dd>
                {opened.dataset.sourceType} <code>{opened.dataset.source}</code>
              </dd>
            </div>
          </dl>
          {opened.dataset.schema && <Schema text={opened.dataset.schema} />}
          {opened.dataset.profile && <Json title="Profile" text={opened.dataset.profile} />}
        </Dialog>
      )}
    </section>
  );
}

function Schema({ text }: { text: string }) {
  const parts = readDatasetSchema(text);
  if (!parts) return <Json title="Schema" text={text} />;
  return parts.map((part) => <SchemaColumns key={part.title} {...part} />);
}

function Json({ title, text }: { title: string; text: string }) {
  return (
    <div>
      <h3>{title}</h3>
      <pre className={styles.code}>{pretty(text)}</pre>
    </div>
  );
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
