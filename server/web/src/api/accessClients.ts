import { createClient } from "@connectrpc/connect";

import { AccessService, AccountService } from "../gen/stepwell_api/v1/access_pb";
import { transport } from "./clients";

// Apart from the other clients: most people never open what needs it.
export const accessService = createClient(AccessService, transport);
export const accountService = createClient(AccountService, transport);
