import { useCallback, useEffect, useRef, useState } from "react";

import { explain } from "../api/failures";
import { complain } from "./toast";

/** Tells whether what asks is still on the page: answers come late, and people go on meanwhile. */
export function useIsThere(): () => boolean {
  const isThere = useRef(false);
  useEffect(() => {
    isThere.current = true;
    return () => {
      isThere.current = false;
    };
  }, []);
  return useCallback(() => isThere.current, []);
}

/**
 * What becomes of what a form sends. An answer that comes when the form was closed closes nothing that was opened
 * since, and leads nowhere; that it is a refusal is told all the same.
 */
export function useSending() {
  const [isBusy, setIsBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const isThere = useIsThere();
  const send = <Given>(answer: Promise<Given>, then: (given: Given) => void) => {
    setIsBusy(true);
    answer.then(
      (given) => {
        if (isThere()) then(given);
      },
      (error: unknown) => {
        if (!isThere()) return complain(error);
        setIsBusy(false);
        setProblem(explain(error));
      },
    );
  };
  return { isBusy, problem, send };
}
