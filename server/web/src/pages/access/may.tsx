import { useQuery } from "@tanstack/react-query";
import { createContext, useContext, type ReactNode } from "react";

import { MANAGE, READ, rightsQuery, WRITE } from "../../queries/rights";
import { sessionQuery, usePerson } from "../../queries/session";

/** What may be done here. What may not is not offered; the server refuses it in any case. */
export interface May {
  /** Change, tag, delete what can be restored. */
  write: boolean;
  /** Rename, delete as a whole, share. */
  manage: boolean;
  /** Say who else may: where the server knows accounts. */
  share: boolean;
}

const EVERYTHING: May = { write: true, manage: true, share: false };
const MayContext = createContext(EVERYTHING);

export function mayOf(level: number): May {
  return { write: level >= WRITE, manage: level >= MANAGE, share: level >= MANAGE };
}

/** What may be done with what is shown around here. */
export function useMay(): May {
  return useContext(MayContext);
}

/** Whether one may make experiments and registered models. */
export function useMayCreate(): boolean {
  const { data } = useQuery(sessionQuery);
  return !data?.accounts || (data.person?.mayCreate ?? false);
}

/** What may be done with each of some experiments; until that is known, nothing but to look. */
export function useMayEach(experimentIds: bigint[]): (id: bigint) => May {
  const person = usePerson();
  const { data } = useQuery({ ...rightsQuery(experimentIds.map(String), []), enabled: person !== null });
  return (id) => (person ? mayOf(data?.experiments[String(id)] ?? READ) : EVERYTHING);
}

/** What is inside may be changed as far as all of these experiments may. */
export function OfExperiments({ ids, children }: { ids: bigint[]; children: ReactNode }) {
  const mays = ids.map(useMayEach(ids));
  const may = {
    write: mays.every(({ write }) => write),
    manage: mays.every(({ manage }) => manage),
    share: mays.every(({ share }) => share),
  };
  return <MayContext value={may}>{children}</MayContext>;
}

/** What is inside may be changed as far as this registered model may. */
export function OfModel({ name, children }: { name: string; children: ReactNode }) {
  const person = usePerson();
  const { data } = useQuery({ ...rightsQuery([], [name]), enabled: person !== null });
  const may = person ? mayOf(data?.models[name] ?? READ) : EVERYTHING;
  return <MayContext value={may}>{children}</MayContext>;
}
