import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";

import { CloseIcon } from "./icons";
import { Button } from "./Button";
import styles from "./Dialog.module.css";
import { useOpener } from "./useOpener";

interface Props {
  open: boolean;
  title: string;
  description?: string;
  onClose: () => void;
  /** What Escape and a click beside it do; without it, they close it. */
  onLeave?: () => void;
  children: ReactNode;
  footer?: ReactNode;
  wide?: boolean;
  /** As wide as the window. */
  full?: boolean;
}

/** What is to be filled in has the focus first, and not the button that closes. */
function focusFirst(event: Event): void {
  const content = event.currentTarget as HTMLElement;
  // What asks for the focus itself has it already.
  const field =
    content.querySelector<HTMLElement>(":focus") ?? content.querySelector<HTMLElement>("input, select, textarea");
  event.preventDefault();
  (field ?? content).focus();
}

/** A window over the page; Escape and a click beside it close it, and who opened it has the focus again. */
export function Dialog({ open, title, description, onClose, onLeave = onClose, children, footer, wide, full }: Props) {
  const giveBack = useOpener(open);
  return (
    <Radix.Root open={open} onOpenChange={(now) => !now && onLeave()}>
      <Radix.Portal>
        <Radix.Overlay className={styles.overlay} />
        <Radix.Content
          className={`${styles.window} ${full ? styles.full : wide ? styles.wide : ""}`}
          {...(description ? {} : { "aria-describedby": undefined })}
          onOpenAutoFocus={focusFirst}
          onCloseAutoFocus={(event) => (event.preventDefault(), giveBack())}
        >
          <header className={styles.header}>
            <Radix.Title className={styles.title}>{title}</Radix.Title>
            <Button kind="quiet" icon={<CloseIcon />} aria-label="Close" onClick={onClose} />
          </header>
          {description && <Radix.Description className={styles.description}>{description}</Radix.Description>}
          <div className={styles.body}>{children}</div>
          {footer && <footer className={styles.footer}>{footer}</footer>}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
