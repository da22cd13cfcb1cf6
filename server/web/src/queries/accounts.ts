import { infiniteQueryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { accountService } from "../api/accessClients";

/** So many names come at once. */
const PAGE_MAX = 1_000;

/** Accounts by name, for admins; stale when one is changed here. */
export const accountsQuery = infiniteQueryOptions({
  queryKey: ["accounts"],
  queryFn: ({ pageParam, signal }) => accountService.listUsers({ after: pageParam }, { signal }),
  initialPageParam: "",
  getNextPageParam: ({ users }) => (users.length < PAGE_MAX ? undefined : users.at(-1)?.name),
  select: ({ pages }) => pages.flatMap(({ users }) => users),
});

/** Groups by name, for admins. */
export const groupsQuery = infiniteQueryOptions({
  queryKey: ["groups of accounts"],
  queryFn: ({ pageParam, signal }) => accountService.listGroups({ after: pageParam }, { signal }),
  initialPageParam: "",
  getNextPageParam: ({ groups }) => (groups.length < PAGE_MAX ? undefined : groups.at(-1)?.name),
  select: ({ pages }) => pages.flatMap(({ groups }) => groups),
});

/** Add, change, and remove accounts. */
export function useAccountChanges() {
  const onSettled = useStale();
  return {
    add: useMutation({
      mutationFn: (given: { name: string; isService: boolean; isAdmin: boolean; password: string }) =>
        accountService.addUser(given),
      onSettled,
    }),
    change: useMutation({
      mutationFn: (given: { name: string; isAdmin?: boolean; isActive?: boolean }) => accountService.changeUser(given),
      onSettled,
    }),
    setPassword: useMutation({
      mutationFn: (given: { name: string; password: string }) => accountService.setPassword(given),
      onSettled,
    }),
    remove: useMutation({ mutationFn: (name: string) => accountService.removeUser({ name }), onSettled }),
  };
}

/** Add, fill, and remove groups. */
export function useGroupChanges() {
  const onSettled = useStale();
  return {
    add: useMutation({ mutationFn: (name: string) => accountService.addGroup({ name }), onSettled }),
    changeMembers: useMutation({
      mutationFn: (given: { name: string; added: string[]; removed: string[] }) => accountService.changeGroup(given),
      onSettled,
    }),
    remove: useMutation({ mutationFn: (name: string) => accountService.removeGroup({ name }), onSettled }),
  };
}

function useStale() {
  const client = useQueryClient();
  return () =>
    Promise.all([
      client.invalidateQueries({ queryKey: ["accounts"] }),
      client.invalidateQueries({ queryKey: ["groups of accounts"] }),
    ]);
}
