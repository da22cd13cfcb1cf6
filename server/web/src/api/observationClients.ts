import { createClient } from "@connectrpc/connect";

import { AlertService } from "../gen/stepwell_api/v1/alerts_pb";
import { HistogramService } from "../gen/stepwell_api/v1/histograms_pb";
import { transport } from "./clients";

export const alertService = createClient(AlertService, transport);
export const histogramService = createClient(HistogramService, transport);
