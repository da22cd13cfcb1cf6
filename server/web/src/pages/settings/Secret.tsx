import { Button } from "../../parts/Button";
import { copy } from "../../parts/copy";
import { Dialog } from "../../parts/Dialog";
import { CopyIcon } from "../../parts/icons";
import styles from "./SettingsTable.module.css";

/** A token that was made just now: the server keeps only what it needs to know it again. */
export function Secret({ name, secret, onClose }: { name: string; secret: string; onClose: () => void }) {
  return (
    <Dialog
      open
      title={`The token ${name}`}
      description="It is shown this once. Keep it where secrets are kept; whoever has it can do what it may."
      onClose={onClose}
      footer={
        <Button kind="primary" onClick={onClose}>
          Done
        </Button>
      }
    >
      <Copied text={secret} what="token" />
      <p className={styles.note}>Programs find it in their environment:</p>
      <Copied text={`export STEPWELL_TRACKING_TOKEN=${secret}`} what="command" />
    </Dialog>
  );
}

function Copied({ text, what }: { text: string; what: string }) {
  return (
    <div className={styles.secret}>
      <code>{text}</code>
      <Button kind="quiet" icon={<CopyIcon />} aria-label={`Copy the ${what}`} onClick={() => copy(text)} />
    </div>
  );
}
