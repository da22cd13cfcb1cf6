import { useQuery } from "@tanstack/react-query";

import { Failure, Loading } from "../../parts/Notice";
import { figuresQuery, LOOKS_MAX, versionQuery } from "../../queries/figures";
import { healthQuery } from "../../queries/server";
import { chooseTheme, themeChoice, useTheme, type ThemeChoice } from "../../theme/theme";
import { healthOf, type Fact } from "./health";
import styles from "./SettingsPage.module.css";

const THEMES: [ThemeChoice, string][] = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

/** How the server is, and how the page looks to this reader. */
export function ServerTab() {
  const looks = useQuery(figuresQuery);
  const away = useQuery(healthQuery).isError;
  const version = useQuery(versionQuery);
  return (
    <>
      <section aria-label="Server">
        <header className={styles.header}>
          <h2>Server</h2>
          <span className={away || looks.isError ? styles.bad : styles.good} role="status">
            {away ? "away" : looks.isError ? "no figures" : "answers"}
          </span>
          <small>{typeof version.data?.version === "string" && `version ${version.data.version}`}</small>
        </header>
        {looks.data ? (
          <dl className={styles.facts}>
            {healthOf(looks.data).map((fact) => (
              <Tile key={fact.name} fact={fact} />
            ))}
          </dl>
        ) : looks.isError ? (
          <Failure error={looks.error} retry={() => void looks.refetch()} />
        ) : (
          <Loading what="the server's figures" />
        )}
      </section>
      <Appearance />
    </>
  );
}

function Tile({ fact }: { fact: Fact }) {
  return (
    <div className={`${styles.fact} ${fact.isBad ? styles.warned : ""}`}>
      <dt>{fact.name}</dt>
      <dd>{fact.value}</dd>
      <dd className={styles.about}>
        {fact.past.length > 0 && <Past values={fact.past} />}
        <small>{fact.hint}</small>
      </dd>
    </div>
  );
}

/** How a figure was in the last minutes, as a small line. */
function Past({ values }: { values: number[] }) {
  const most = Math.max(...values, 1e-9);
  const points = values.map((value, place) => {
    const x = ((LOOKS_MAX - values.length + place) / (LOOKS_MAX - 1)) * 100;
    return `${x.toFixed(1)},${(28 - (value / most) * 26).toFixed(1)}`;
  });
  return (
    <svg className={styles.past} viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true">
      <polyline points={points.join(" ")} />
    </svg>
  );
}

function Appearance() {
  // The choice is read again whenever the theme changes.
  useTheme();
  return (
    <section aria-label="Appearance">
      <h2>Appearance</h2>
      <div className={styles.themes} role="radiogroup" aria-label="Theme">
        {THEMES.map(([choice, label]) => (
          <label key={choice}>
            <input
              type="radio"
              name="theme"
              defaultChecked={themeChoice() === choice}
              onChange={() => chooseTheme(choice)}
            />
            {label}
          </label>
        ))}
      </div>
    </section>
  );
}
