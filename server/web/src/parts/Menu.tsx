import { DropdownMenu as Radix } from "radix-ui";
import type { ReactNode } from "react";

import styles from "./Menu.module.css";

export interface MenuItem {
  label: string;
  act: () => void;
  danger?: boolean;
  disabled?: boolean;
}

interface Props {
  trigger: ReactNode;
  items: MenuItem[];
  /** What the menu is of, where its button does not say it. */
  heading?: ReactNode;
}

/** A menu behind a button; the items are walked with the arrow keys. */
export function Menu({ trigger, items, heading }: Props) {
  return (
    <Radix.Root>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content className={styles.menu} align="end" sideOffset={4}>
          {heading && <Radix.Label className={styles.heading}>{heading}</Radix.Label>}
          {items.map((item) => (
            <Radix.Item
              key={item.label}
              className={`${styles.item} ${item.danger ? styles.danger : ""}`}
              disabled={item.disabled}
              onSelect={item.act}
            >
              {item.label}
            </Radix.Item>
          ))}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
