import { useQuery } from "@tanstack/react-query";

import { Choice } from "../../parts/Choice";
import { told } from "../../parts/toast";
import { defaultLevelQuery, LEVELS, useGrantChanges } from "../../queries/grants";

/** What everybody may do with whatever is not shared otherwise. */
export function DefaultLevel() {
  const found = useQuery(defaultLevelQuery);
  const { setDefault } = useGrantChanges();
  if (found.data === undefined) return <span />;
  return (
    <Choice
      label="What is not shared otherwise, everybody may"
      options={LEVELS.map(([level, text]) => [String(level), text] as const)}
      value={String(setDefault.isPending ? setDefault.variables : found.data)}
      disabled={setDefault.isPending}
      onChange={(level) => told(setDefault.mutateAsync(Number(level)))}
    />
  );
}
