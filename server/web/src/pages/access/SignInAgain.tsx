import { Dialog } from "radix-ui";

import type { Ways } from "../../queries/session";
import styles from "./SignIn.module.css";
import { SignIn } from "./SignIn";

const ENDED = "Your session has ended. What you were doing is still there when you have signed in again.";
const keepOpen = (event: Event) => event.preventDefault();

/** Asks who is there over a page whose session has ended: what was being written in it is still there afterwards. */
export function SignInAgain({ ways, problem }: { ways: Ways; problem: string }) {
  return (
    <Dialog.Root open>
      <Dialog.Portal>
        <Dialog.Content
          className={styles.over}
          aria-describedby={undefined}
          onEscapeKeyDown={keepOpen}
          onInteractOutside={keepOpen}
        >
          <Dialog.Title className={styles.unseen}>The session has ended</Dialog.Title>
          <SignIn ways={ways} problem={problem || ENDED} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
