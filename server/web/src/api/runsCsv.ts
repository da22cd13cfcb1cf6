import { HOME } from "./clients";

interface Wanted {
  experimentIds: bigint[];
  filter: string;
  deleted: boolean;
  orderBy: string[];
  /** As the grammar of searches names them. */
  columns: string[];
}

/** Where all runs of a search are, as CSV with chosen columns: the server writes as it reads, however many there are. */
export function runsCsvAddress({ experimentIds, filter, deleted, orderBy, columns }: Wanted): string {
  const address = new URL("api/stepwell/v1/runs.csv", HOME);
  const add = (name: string, values: string[]) => values.forEach((value) => address.searchParams.append(name, value));
  add("experiment_id", experimentIds.map(String));
  add("filter", filter ? [filter] : []);
  add("view", deleted ? ["deleted"] : []);
  add("order_by", orderBy);
  add("column", columns);
  return address.href;
}
