import { useEffect } from "react";

const OF_THE_PAGE = "Stepwell";

/** Calls the tab of the browser, and what bookmarks keep, after what is shown there. */
export function useTitle(name: string | undefined): void {
  useEffect(() => {
    if (!name) return;
    document.title = `${name} · ${OF_THE_PAGE}`;
    return () => {
      document.title = OF_THE_PAGE;
    };
  }, [name]);
}
