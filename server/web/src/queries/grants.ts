import { create } from "@bufbuild/protobuf";
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { accessService, accountService } from "../api/accessClients";
import {
  AccessLevel,
  AccessSubjectSchema,
  AccessThingSchema,
  type AccessGrant,
} from "../gen/stepwell_api/v1/access_pb";

/** What can be shared: an experiment, or a registered model. */
export type Thing = { case: "experimentId"; value: bigint } | { case: "model"; value: string };

/** With whom. */
export type Subject = { case: "user" | "group"; value: string } | { case: "everybody" };

export const EVERYBODY: Subject = { case: "everybody" };

export const LEVELS: readonly (readonly [AccessLevel, string])[] = [
  [AccessLevel.NONE, "not even see it"],
  [AccessLevel.READ, "read"],
  [AccessLevel.WRITE, "read and log"],
  [AccessLevel.MANAGE, "manage"],
];
export const DEFAULT_SHARED = AccessLevel.READ;

export function levelName(level: AccessLevel): string {
  return LEVELS.find(([one]) => one === level)?.[1] ?? "";
}

/** Who may do what with something; `level` of everybody else is the server's default where nothing is said. */
export interface Shared {
  grants: { subject: Subject; level: AccessLevel }[];
  defaultLevel: AccessLevel;
}

/** Who may do what with an experiment or a registered model, for who manages it. */
export function grantsQuery(thing: Thing) {
  return queryOptions({
    queryKey: ["grants", thing.case, String(thing.value)],
    queryFn: async ({ signal }): Promise<Shared> => {
      const { grants, defaultLevel } = await accessService.listGrants({ thing: thingOf(thing) }, { signal });
      return { grants: grants.map(granted), defaultLevel };
    },
  });
}

/** What everybody may do where nothing is said, for admins. */
export const defaultLevelQuery = queryOptions({
  queryKey: ["grants", "default"],
  queryFn: async ({ signal }) => {
    const subject = subjectOf(EVERYBODY);
    return (await accessService.listGrants({ subject }, { signal })).defaultLevel;
  },
});

/** The names of accounts and groups, as far as whoever is signed in may know them: admins. */
export const subjectsQuery = queryOptions({
  queryKey: ["accounts", "names"],
  queryFn: async ({ signal }) => {
    const [{ users }, { groups }] = await Promise.all([
      accountService.listUsers({}, { signal }),
      accountService.listGroups({}, { signal }),
    ]);
    return { users: users.map(({ name }) => name), groups: groups.map(({ name }) => name) };
  },
});

export function useGrantChanges() {
  const client = useQueryClient();
  const onSettled = () =>
    Promise.all([
      client.invalidateQueries({ queryKey: ["grants"] }),
      client.invalidateQueries({ queryKey: ["rights"] }),
    ]);
  return {
    grant: useMutation({
      mutationFn: ({ thing, subject, level }: { thing: Thing; subject: Subject; level: AccessLevel }) =>
        accessService.grant({ grant: { thing: thingOf(thing), subject: subjectOf(subject), level } }),
      onSettled,
    }),
    revoke: useMutation({
      mutationFn: ({ thing, subject }: { thing: Thing; subject: Subject }) =>
        accessService.revokeGrant({ thing: thingOf(thing), subject: subjectOf(subject) }),
      onSettled,
    }),
    setDefault: useMutation({
      mutationFn: (level: AccessLevel) => accessService.setDefaultLevel({ level }),
      onSettled,
    }),
  };
}

function thingOf(thing: Thing) {
  return create(AccessThingSchema, { thing });
}

function subjectOf(subject: Subject) {
  return create(AccessSubjectSchema, {
    subject: subject.case === "everybody" ? { case: "everybody", value: {} } : subject,
  });
}

function granted({ subject, level }: AccessGrant): Shared["grants"][number] {
  const named = subject?.subject;
  const isNamed = named?.case === "user" || named?.case === "group";
  return { subject: isNamed ? { case: named.case, value: named.value } : EVERYBODY, level };
}
