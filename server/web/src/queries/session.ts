import { queryOptions, useMutation, useQuery, useQueryClient, type Query } from "@tanstack/react-query";

import { askJson } from "../api/json";

const PATH = "api/stepwell/v1/session";
// A session that ends elsewhere is noticed with the next refusal; this is for what shows it only.
const FRESH_MS = 60_000;
const AGAIN_MS = 5_000;

/** Who is signed in. */
export interface Person {
  name: string;
  isAdmin: boolean;
  /** Whether they may make experiments and registered models. */
  mayCreate: boolean;
  /** How they signed in; whom a proxy names cannot sign out here. */
  way: "password" | "token" | "provider" | "proxy";
}

/** How one can sign in here. */
export interface Ways {
  password: boolean;
  /** What people call the OpenID Connect provider; null without one. */
  provider: string | null;
}

export interface Session {
  /** Whether the server knows accounts at all; without them everybody may do everything. */
  accounts: boolean;
  person: Person | null;
  /** The session of that person has ended while the page was in use. */
  isOver: boolean;
  ways: Ways;
  /** Why the provider's answer signed nobody in; told once. */
  problem: string;
}

const OPEN: Session = {
  accounts: false,
  person: null,
  isOver: false,
  ways: { password: false, provider: null },
  problem: "",
};

/** Who is signed in, and how one can sign in. */
export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: async ({ signal, client }) =>
    following(await askSession(signal), client.getQueryData<Session>(["session"]) ?? OPEN),
  staleTime: FRESH_MS,
  refetchInterval: ({ state }) => (state.data ? false : AGAIN_MS),
  retry: false,
  // Where nobody answers, what is behind the gate asks for it, too: that must not close the gate again.
  retryOnMount: false,
});

/** Who is signed in; null where nobody is, or needs to be. */
export function usePerson(): Person | null {
  return useQuery(sessionQuery).data?.person ?? null;
}

/** Sign in and out. What was read for one person is not there for the next. */
export function useSignIn() {
  const client = useQueryClient();
  const enter = async () => {
    const session = await askSession();
    const others = { predicate: (query: Query) => query.queryKey[0] !== "session" };
    // An older answer says that nobody is there.
    await client.cancelQueries({ queryKey: ["session"] });
    const before = client.getQueryData<Session>(["session"])?.person;
    const isSame = before?.name === session.person?.name;
    if (!isSame) client.removeQueries(others);
    client.setQueryData(["session"], session);
    if (isSame) void client.invalidateQueries(others);
  };
  return {
    signIn: useMutation({ mutationFn: (given: Credentials) => askJson(PATH, "POST", given), onSuccess: enter }),
    signOut: useMutation({
      mutationFn: (where: "here" | "everywhere") => askJson(leave(where), "DELETE"),
      onSuccess: () => window.location.reload(),
    }),
  };
}

export type Credentials = { name: string; password: string } | { token: string };

/** Where the provider is asked who this is; it leads back to the place in the page where one is now. */
export function providerAddress(hash: string): string {
  return `${PATH}/provider?back=${encodeURIComponent(hash)}`;
}

function leave(where: "here" | "everywhere"): string {
  return where === "here" ? PATH : `${PATH}?everywhere=1`;
}

async function askSession(signal?: AbortSignal): Promise<Session> {
  return readSession(await askJson(PATH, "GET", undefined, signal));
}

/** What is so now; a page that was of somebody stays theirs when their session ends. */
function following(now: Session, before: Session): Session {
  return now.accounts && !now.person && before.person ? { ...now, person: before.person, isOver: true } : now;
}

function readSession(said: unknown): Session {
  const given = said as Partial<Session> | null;
  return given?.accounts ? { ...OPEN, ...given } : OPEN;
}
