import { createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";

import { ExperimentService, RunService } from "../gen/stepwell_api/v1/runs_pb";
import { SearchService } from "../gen/stepwell_api/v1/search_pb";
import { SeriesService } from "../gen/stepwell_api/v1/series_pb";

/** The folder in which the page lies, with a slash at its end: the server may be below any path. */
export const HOME = new URL(".", window.location.href.split("#")[0]).href;

/** What the page sends with whatever changes something, and forms of other pages cannot send. */
export const OWN_PAGE = { "x-stepwell-page": "1" };

const ofOwnPage: Interceptor = (next) => (request) => {
  for (const [name, value] of Object.entries(OWN_PAGE)) request.header.set(name, value);
  return next(request);
};

/** Binary protobuf over the Connect protocol: the same services that gRPC offers. */
export const transport = createConnectTransport({
  baseUrl: HOME.replace(/\/$/, ""),
  useBinaryFormat: true,
  interceptors: [ofOwnPage],
});

export const experimentService = createClient(ExperimentService, transport);
export const runService = createClient(RunService, transport);
export const searchService = createClient(SearchService, transport);
export const seriesService = createClient(SeriesService, transport);
