import { createClient } from "@connectrpc/connect";

import { ArtifactService } from "../gen/stepwell_api/v1/artifacts_pb";
import { WriterService } from "../gen/stepwell_api/v1/writers_pb";
import { transport } from "./clients";

// Services that the first page does without.
export const artifactService = createClient(ArtifactService, transport);
export const writerService = createClient(WriterService, transport);
