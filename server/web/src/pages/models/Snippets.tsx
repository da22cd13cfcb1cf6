import { useState } from "react";

import { HOME } from "../../api/clients";
import type { ModelFile } from "../../models/modelFile";
import { snippets } from "../../models/snippets";
import { Button } from "../../parts/Button";
import { copy } from "../../parts/copy";
import { CopyIcon } from "../../parts/icons";
import run from "../run/RunPage.module.css";
import styles from "./Models.module.css";

const SERVER = HOME.replace(/\/$/, "");

/** How to use a model, to be copied; of several names for it, one is chosen. */
export function Snippets({ uris, file }: { uris: string[]; file: ModelFile | undefined }) {
  const [chosen, choose] = useState("");
  const uri = uris.includes(chosen) ? chosen : (uris[0] ?? "");
  return (
    <section className={run.box} aria-label="Use it">
      <header>
        <h2>Use it</h2>
        {uris.length > 1 ? (
          <select aria-label="Named by" className={styles.names} value={uri} onChange={(e) => choose(e.target.value)}>
            {uris.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        ) : (
          <code title={uri}>{uri}</code>
        )}
      </header>
      {snippets(uri, SERVER, file).map(({ title, text }) => (
        <div key={title} className={styles.snippet}>
          <header>
            <h3>{title}</h3>
            <Button kind="quiet" icon={<CopyIcon />} aria-label={`Copy: ${title}`} onClick={() => copy(text)} />
          </header>
          <pre>
            <code>{text}</code>
          </pre>
        </div>
      ))}
    </section>
  );
}
