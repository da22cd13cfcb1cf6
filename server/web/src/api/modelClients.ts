import { createClient } from "@connectrpc/connect";

import { LoggedModelService } from "../gen/stepwell_api/v1/models_pb";
import { ModelVersionService, RegisteredModelService } from "../gen/stepwell_api/v1/registry_pb";
import { transport } from "./clients";

// Apart from the other clients, because the first page does without them.
export const loggedModelService = createClient(LoggedModelService, transport);
export const registeredModelService = createClient(RegisteredModelService, transport);
export const modelVersionService = createClient(ModelVersionService, transport);
