import { useState } from "react";

import type { ModelFile } from "../../models/modelFile";
import { snippets } from "../../models/snippets";
import { SERVER } from "../../parts/firstSteps";
import { Script } from "../../parts/Script";
import run from "../run/RunPage.module.css";
import styles from "./Models.module.css";

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
          <code title={uri} className={styles.uri}>
            {uri}
          </code>
        )}
      </header>
      <div className={styles.snippets}>
        {snippets(uri, SERVER, file).map(({ title, text }) => (
          <Script key={title} title={title} text={text} />
        ))}
      </div>
    </section>
  );
}
