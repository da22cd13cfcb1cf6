import { DropdownMenu as Radix } from "radix-ui";
import type { ReactNode } from "react";

import styles from "./Menu.module.css";

export interface MenuItem {
  label: string;
  act: () => void;
  danger?: boolean;
  disabled?: boolean;
}

/** A menu behind a button; the items are walked with the arrow keys. */
export function Menu({ trigger, items }: { trigger: ReactNode; items: MenuItem[] }) {
  return (
    <Radix.Root>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content className={styles.menu} align="end" sideOffset={4}>
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
