import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";

import { duration } from "../format/times";
import { Failure, Loading, Empty } from "../parts/Notice";
import { Status } from "../parts/Status";
import { Time } from "../parts/Time";
import { experimentQuery } from "../queries/experiments";
import { runsQuery } from "../queries/runs";
import { whole } from "../url/search";
import styles from "./ExperimentsPage.module.css";
import table from "./ExperimentsTable.module.css";
import { Missing } from "./Missing";

const route = getRouteApi("/experiments/$experimentId");

export function RunsPage() {
  const { experimentId } = route.useParams();
  const id = whole(experimentId);
  return id === undefined ? <Missing /> : <Runs experimentId={id} />;
}

function Runs({ experimentId }: { experimentId: bigint }) {
  const { q = "", deleted = false } = route.useSearch();
  const experiment = useQuery(experimentQuery(experimentId));
  const found = useInfiniteQuery(
    runsQuery({
      experimentIds: [experimentId],
      filter: q,
      deleted,
      orderBy: ["start_time DESC"],
      params: [],
      metrics: [],
      tags: [],
    }),
  );
  const runs = found.data?.pages.flatMap((page) => page.runs) ?? [];
  if (experiment.isError) return <Failure error={experiment.error} />;
  return (
    <div className={styles.page}>
      <h1>{experiment.data?.name}</h1>
      {found.isPending ? (
        <Loading what="runs" />
      ) : found.isError ? (
        <Failure error={found.error} />
      ) : runs.length === 0 ? (
        <Empty title="No runs" />
      ) : (
        <table className={table.table}>
          <tbody>
            {runs.map(({ info }) =>
              info ? (
                <tr key={info.runId}>
                  <td>
                    <Link
                      to="/experiments/$experimentId/runs/$runId"
                      params={{ experimentId: String(info.experimentId), runId: info.runId }}
                    >
                      {info.name}
                    </Link>
                  </td>
                  <td>
                    <Status status={info.status} />
                  </td>
                  <td>
                    <Time ms={info.startTimeMs} />
                  </td>
                  <td>{info.endTimeMs ? duration(Number(info.endTimeMs - info.startTimeMs)) : "-"}</td>
                </tr>
              ) : null,
            )}
          </tbody>
        </table>
      )}
    </div>
  );
}
