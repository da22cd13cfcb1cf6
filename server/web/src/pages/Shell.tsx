import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { useEffect, useState } from "react";

import { Button } from "../parts/Button";
import { CubeIcon, FlaskIcon, KeyboardIcon, MoonIcon, PulseIcon, SideIcon, SunIcon } from "../parts/icons";
import { Toasts } from "../parts/toast";
import { AccountMenu } from "./access/AccountMenu";
import { healthQuery } from "../queries/server";
import { chooseTheme, useTheme } from "../theme/theme";
import styles from "./Shell.module.css";
import { Shortcuts } from "./Shortcuts";

/** Runs and comparisons are what experiments consist of. */
const OF_EXPERIMENTS = /^\/($|experiments|compare)/;
const NARROW_KEY = "stepwell.sidebar";

/** What is around every page: navigation, theme, shortcuts, and whether the server is there. */
export function Shell() {
  const [narrow, setNarrow] = useState(() => {
    const kept = localStorage.getItem(NARROW_KEY);
    // In a frame, as notebooks have it, there is little room.
    return kept ? kept === "narrow" : window.self !== window.top;
  });
  const [sheet, setSheet] = useState(false);
  const isOfExperiments = useLocation({ select: ({ pathname }) => OF_EXPERIMENTS.test(pathname) });
  const toggle = () => {
    localStorage.setItem(NARROW_KEY, narrow ? "wide" : "narrow");
    setNarrow(!narrow);
  };
  return (
    <div className={`${styles.shell} ${narrow ? styles.narrow : ""}`}>
      <nav className={styles.side} aria-label="Main">
        <Link to="/" className={styles.brand} aria-label="Stepwell, all experiments">
          <img src="./icon.svg" alt="" width="22" height="22" />
          <span>Stepwell</span>
        </Link>
        <Link to="/" className={`${styles.item} ${isOfExperiments ? styles.active : ""}`} title="Experiments">
          <FlaskIcon />
          <span>Experiments</span>
        </Link>
        <Link to="/models" className={styles.item} activeProps={{ className: styles.active }} title="Models">
          <CubeIcon />
          <span>Models</span>
        </Link>
        <Link to="/settings" className={styles.item} activeProps={{ className: styles.active }} title="Settings">
          <PulseIcon />
          <span>Settings</span>
        </Link>
        <div className={styles.foot}>
          <AccountMenu />
          <ThemeButton />
          <Button kind="quiet" icon={<KeyboardIcon />} aria-label="Keyboard shortcuts" onClick={() => setSheet(true)} />
          <Button
            kind="quiet"
            icon={<SideIcon />}
            aria-label={narrow ? "Widen the navigation" : "Narrow the navigation"}
            aria-expanded={!narrow}
            onClick={toggle}
          />
        </div>
      </nav>
      <main className={styles.main}>
        <Away />
        <Outlet />
      </main>
      <Shortcuts open={sheet} setOpen={setSheet} toggleSide={toggle} />
      <Toasts />
    </div>
  );
}

function ThemeButton() {
  const dark = useTheme() === "dark";
  return (
    <Button
      kind="quiet"
      icon={dark ? <SunIcon /> : <MoonIcon />}
      aria-label={dark ? "Light theme" : "Dark theme"}
      onClick={() => chooseTheme(dark ? "light" : "dark")}
    />
  );
}

function Away() {
  const { isError } = useQuery(healthQuery);
  const client = useQueryClient();
  const [wasAway, setWasAway] = useState(false);
  useEffect(() => {
    if (isError) setWasAway(true);
    else if (wasAway) {
      setWasAway(false);
      void client.invalidateQueries({ predicate: (query) => query.queryKey[0] !== "health" });
    }
  }, [isError, wasAway, client]);
  if (!isError) return null;
  return (
    <div className={styles.away} role="status">
      The server cannot be reached. What you see is what it said last; the page goes on by itself when it is back.
    </div>
  );
}
