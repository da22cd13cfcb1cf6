import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { accessService } from "../api/accessClients";
import { TokenScope } from "../gen/stepwell_api/v1/access_pb";

/** What a token lets programs do, at most. */
export const SCOPES: readonly (readonly [TokenScope, string])[] = [
  [TokenScope.READ, "read"],
  [TokenScope.WRITE, "read and log"],
  [TokenScope.ADMIN, "do all that its account may"],
];
export const DEFAULT_SCOPE = TokenScope.WRITE;

/** The tokens of whoever is signed in, the latest first; stale when one is made or revoked here. */
export const tokensQuery = queryOptions({
  queryKey: ["tokens"],
  queryFn: async ({ signal }) => (await accessService.listTokens({}, { signal })).tokens,
});

interface NewToken {
  /** Whose; empty for one's own. */
  account: string;
  name: string;
  scope: TokenScope;
  /** 0 for never. */
  expiresTimeMs: bigint;
  /** None for all. */
  experimentIds: bigint[];
}

export function useTokenChanges() {
  const client = useQueryClient();
  const onSettled = () => client.invalidateQueries({ queryKey: ["tokens"] });
  return {
    create: useMutation({ mutationFn: (given: NewToken) => accessService.createToken(given), onSettled }),
    revoke: useMutation({ mutationFn: (tokenId: bigint) => accessService.revokeToken({ tokenId }), onSettled }),
  };
}
