import { Link, useLocation } from "@tanstack/react-router";

import { explain, isMissing } from "../api/failures";
import { Empty, Failure } from "../parts/Notice";
import { usePerson } from "../queries/session";

/** What stands where there is nothing to show, or nothing for whoever looks. */
export function Missing({ title = "There is no such page" }: { title?: string }) {
  const person = usePerson();
  const isOfModels = useLocation({ select: ({ pathname }) => pathname.startsWith("/models") });
  return (
    <Empty title={title}>
      {person && <p>It may be gone, or not be shared with {person.name}.</p>}
      {isOfModels ? <Link to="/models">All models</Link> : <Link to="/">All experiments</Link>}
    </Empty>
  );
}

/** Why a page cannot show what it is of. */
export function Unshown({ error, retry }: { error: unknown; retry?: () => void }) {
  if (!isMissing(error)) return <Failure error={error} retry={retry} />;
  return (
    <div role="alert">
      <Missing title={explain(error)} />
    </div>
  );
}
