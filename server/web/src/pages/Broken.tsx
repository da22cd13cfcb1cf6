import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { Button } from "../parts/Button";
import { Empty, Failure } from "../parts/Notice";
import { healthQuery } from "../queries/server";

/** What browsers and Vite say of a part that did not come. */
const NOT_LOADED = /dynamically imported module|importing a module script failed|unable to preload css/i;
const RELOADED_KEY = "stepwell.reloaded";
/** What fails again right after a reload is not mended by another one. */
const AGAIN_AFTER_MS = 30_000;

/** What stands in the place of a page that cannot be shown. */
export function Broken({ error }: { error: unknown }) {
  const isUnloaded = error instanceof Error && NOT_LOADED.test(error.message);
  return isUnloaded ? <Unloaded /> : <Failure error={error} />;
}

/** Parts of the page come when they are wanted: while the server is away they don't, and from a newer server not at all. */
function Unloaded() {
  const [begunAt] = useState(Date.now);
  const { isError, dataUpdatedAt } = useQuery(healthQuery);
  const isBack = !isError && dataUpdatedAt > begunAt;
  useEffect(() => {
    if (!isBack || Date.now() - Number(sessionStorage.getItem(RELOADED_KEY)) < AGAIN_AFTER_MS) return;
    sessionStorage.setItem(RELOADED_KEY, String(Date.now()));
    window.location.reload();
  }, [isBack]);
  return (
    <Empty title="This part of the page has not come yet">
      <p>It is fetched when it is wanted first. It comes by itself as soon as the server answers.</p>
      <Button onClick={() => window.location.reload()}>Reload</Button>
    </Empty>
  );
}
