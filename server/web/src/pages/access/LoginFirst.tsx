import { Link } from "@tanstack/react-router";

import { LOGIN } from "../../parts/firstSteps";
import { Script } from "../../parts/Script";
import { usePerson } from "../../queries/session";

/** How the machine that a script runs on signs in before; nothing where the server knows no accounts. */
export function LoginFirst() {
  if (!usePerson()) return null;
  return (
    <>
      <p>
        This server wants to know who logs. Sign in once, on the machine that the script runs on, or give a job{" "}
        <Link to="/settings" search={{ tab: "tokens" }}>
          a token
        </Link>{" "}
        in <code>STEPWELL_TRACKING_TOKEN</code>.
      </p>
      <Script title="Shell" text={LOGIN} />
    </>
  );
}
