import type { ModelFile } from "../../models/modelFile";
import { Retry } from "../../parts/Notice";
import run from "../run/RunPage.module.css";
import { SchemaColumns } from "./SchemaColumns";

const PARTS = [
  ["inputs", "Inputs"],
  ["outputs", "Outputs"],
  ["params", "Params of a prediction"],
] as const;

interface Props {
  file: ModelFile | undefined;
  /** Why there is no file, or it cannot be read. */
  problem: string | null;
  retry?: () => void;
}

/** What the model takes and gives, as its signature says. */
export function SchemaBox({ file, problem, retry }: Props) {
  return (
    <section className={run.box} aria-label="Schema">
      <header>
        <h2>Schema</h2>
      </header>
      {file?.schema ? (
        PARTS.map(([part, title]) => <SchemaColumns key={part} title={title} columns={file.schema?.[part] ?? []} />)
      ) : file ? (
        <p className={run.nothing}>The model has no signature: log it with one, or with an input example.</p>
      ) : (
        <p className={run.nothing}>
          MLmodel cannot be read. {problem} {retry && <Retry retry={retry} />}
        </p>
      )}
    </section>
  );
}
