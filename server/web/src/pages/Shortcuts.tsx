import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";

import { Dialog } from "../parts/Dialog";
import styles from "./Shortcuts.module.css";

interface Props {
  open: boolean;
  setOpen: (open: boolean) => void;
  toggleSide: () => void;
}

const SHORTCUTS: [keys: string, what: string][] = [
  ["?", "show this sheet"],
  ["/", "go to the search field"],
  ["↓ Enter", "take what a filter offers"],
  ["Alt ← →", "move the column whose heading has the focus"],
  ["Alt Shift ← →", "make that column narrower or wider"],
  ["↑ ↓", "walk the rows of a table"],
  ["← →", "close and open a run or a group"],
  ["g e", "go to the experiments"],
  ["g m", "go to the models"],
  ["g s", "go to the settings"],
  ["[", "narrow or widen the navigation"],
  ["Esc", "close what is open"],
];

/** The sheet of shortcuts, and the shortcuts that work on every page. */
export function Shortcuts({ open, setOpen, toggleSide }: Props) {
  const navigate = useNavigate();
  const before = useRef("");
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      const keys = before.current === "g" ? `g ${event.key}` : event.key;
      before.current = event.key;
      if (keys === "?") setOpen(true);
      else if (keys === "/") focusSearch(event);
      else if (keys === "g e") void navigate({ to: "/" });
      else if (keys === "g m") void navigate({ to: "/models" });
      else if (keys === "g s") void navigate({ to: "/settings" });
      else if (keys === "[") toggleSide();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [navigate, setOpen, toggleSide]);
  return (
    <Dialog open={open} title="Keyboard shortcuts" onClose={() => setOpen(false)}>
      <dl className={styles.keys}>
        {SHORTCUTS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

function focusSearch(event: KeyboardEvent): void {
  const field = document.querySelector<HTMLElement>("[data-search]");
  if (!field) return;
  event.preventDefault();
  field.focus();
}
