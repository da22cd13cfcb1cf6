import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { explain, isMissing } from "../../api/failures";
import { within, type Place } from "../../models/place";
import { Loading } from "../../parts/Notice";
import { textQuery } from "../../queries/artifacts";
import { modelFileQuery } from "../../queries/modelFile";
import run from "../run/RunPage.module.css";
import styles from "./Models.module.css";
import { SchemaBox } from "./SchemaBox";
import { Snippets } from "./Snippets";

interface Props {
  /** How the model is named in code, the plainest first. */
  uris: string[];
  place: Place | null;
  above?: ReactNode;
  children?: ReactNode;
  beside: ReactNode;
}

/** What the files of a model say of it, around what the server knows. */
export function About({ uris, place, above, children, beside }: Props) {
  const file = useQuery({ ...modelFileQuery(place ?? { owner: "", folder: "" }), enabled: place !== null });
  const problem = place ? file.error && explain(file.error) : "The files are outside of this server.";
  return (
    <div className={run.overview}>
      <div className={run.column}>
        {above}
        {place && file.isPending ? (
          <div className={styles.coming}>
            <Loading what="the model's files" />
          </div>
        ) : (
          <>
            <SchemaBox file={file.data} problem={problem} retry={place ? () => void file.refetch() : undefined} />
            <Snippets uris={uris} file={file.data} />
            {children}
            {place && <Requirements place={place} />}
          </>
        )}
      </div>
      <div className={run.column}>{beside}</div>
    </div>
  );
}

function Requirements({ place }: { place: Place }) {
  const found = useQuery(textQuery(place.owner, within(place.folder, "requirements.txt")));
  return (
    <section className={run.box} aria-label="Requirements">
      <header>
        <h2>Requirements</h2>
      </header>
      {found.data ? (
        <pre className={run.code}>{found.data.text}</pre>
      ) : (
        <p className={run.nothing}>
          {!found.isError ? "Loading …" : isMissing(found.error) ? "The model names none." : explain(found.error)}
        </p>
      )}
    </section>
  );
}
