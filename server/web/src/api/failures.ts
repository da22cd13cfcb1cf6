import { Code, ConnectError } from "@connectrpc/connect";

const UNAUTHORIZED = 401;
const NOT_FOUND = 404;
const INTERNAL = 500;

/** An answer that refuses, with its HTTP status and the server's words. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** What to tell a person of an error. */
export function explain(error: unknown): string {
  if (isAway(error)) return "The server cannot be reached. The page tries again by itself.";
  if (error instanceof ConnectError) return sentence(error.rawMessage);
  return error instanceof Error ? sentence(error.message) : String(error);
}

/** Whether nobody answered, which is worth trying again; a refusal is not. */
export function isAway(error: unknown): boolean {
  if (error instanceof ConnectError) {
    return error.code === Code.Unavailable || (error.code === Code.Unknown && error.cause instanceof TypeError);
  }
  return error instanceof TypeError;
}

/** Whether the server failed in what it did, which it may not do again. */
export function isBroken(error: unknown): boolean {
  if (error instanceof ConnectError) return error.code === Code.Internal || error.code === Code.Unknown;
  return error instanceof Refusal && error.status >= INTERNAL;
}

export function isMissing(error: unknown): boolean {
  if (error instanceof ConnectError) return error.code === Code.NotFound;
  return error instanceof Refusal && error.status === NOT_FOUND;
}

/** Whether the server does not know who asks: a session ended, or was never there. */
export function isSignedOut(error: unknown): boolean {
  if (error instanceof ConnectError) return error.code === Code.Unauthenticated;
  return error instanceof Refusal && error.status === UNAUTHORIZED;
}

export function isTaken(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.AlreadyExists;
}

function sentence(text: string): string {
  const trimmed = text.trim();
  if (!trimmed) return "Something went wrong, and the server did not say what.";
  // A name of the user's begins as the user wrote it: metrics.loss, my_param.
  const isName = /^\S*[._`'"]\S/.test(trimmed);
  const first = isName ? trimmed : trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(first) || first.includes("\n") ? first : `${first}.`;
}
