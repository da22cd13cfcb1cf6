import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, type ReactNode } from "react";

import { sessionQuery } from "../../queries/session";

const SignIn = lazy(() => import("./SignIn").then(({ SignIn }) => ({ default: SignIn })));

/**
 * Lets in whom the server knows, or everybody where it knows nobody. The address stays what it is meanwhile, so that
 * whoever signs in is where the link led.
 */
export function Gate({ children }: { children: ReactNode }) {
  const { data, isPending } = useQuery(sessionQuery);
  // A moment; without it, pages would ask for what they may not have.
  if (isPending) return null;
  if (!data?.accounts) return children;
  if (!data.person)
    return (
      <Suspense>
        <SignIn ways={data.ways} problem={data.problem} />
      </Suspense>
    );
  return (
    <div key={data.person.name} style={{ display: "contents" }}>
      {children}
    </div>
  );
}
