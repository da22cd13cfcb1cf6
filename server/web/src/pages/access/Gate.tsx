import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, type ReactNode } from "react";

import { Loading } from "../../parts/Notice";
import { sessionQuery } from "../../queries/session";

const SignIn = lazy(() => import("./SignIn").then(({ SignIn }) => ({ default: SignIn })));
const SignInAgain = lazy(() => import("./SignInAgain").then(({ SignInAgain }) => ({ default: SignInAgain })));

/**
 * Lets in whom the server knows, or everybody where it knows nobody. The address stays what it is meanwhile, so that
 * whoever signs in is where the link led; where a session ends in use, the page waits below with what was written in it.
 */
export function Gate({ children }: { children: ReactNode }) {
  const { data, isFetched } = useQuery(sessionQuery);
  // A moment, as a rule; without it, pages would ask for what they may not have. Where nobody answers, it is open.
  if (!isFetched) return <Loading what="the page" isLate />;
  if (!data?.accounts) return children;
  if (!data.person)
    return (
      <Suspense>
        <SignIn ways={data.ways} problem={data.problem} />
      </Suspense>
    );
  return (
    <>
      <div key={data.person.name} style={{ display: "contents" }}>
        {children}
      </div>
      {data.isOver && (
        <Suspense>
          <SignInAgain ways={data.ways} problem={data.problem} />
        </Suspense>
      )}
    </>
  );
}
