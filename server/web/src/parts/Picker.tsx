import { useId, useState, type KeyboardEvent } from "react";

import { Button } from "./Button";
import { Field } from "./Field";
import { CloseIcon } from "./icons";
import styles from "./Picker.module.css";

interface Props {
  label: string;
  hint?: string;
  placeholder?: string;
  /** What may be picked, as far as it is known; other names are taken, too. */
  offered: string[];
  chosen: string[];
  onChoose: (chosen: string[]) => void;
}

/** Picks several names: Enter or a comma takes what is typed, a cross puts one back. */
export function Picker({ label, hint, placeholder, offered, chosen, onChoose }: Props) {
  const [draft, setDraft] = useState("");
  const id = useId();
  const take = (text: string) => {
    const names = text
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name && !chosen.includes(name));
    if (names.length > 0) onChoose([...chosen, ...new Set(names)]);
    setDraft("");
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "Enter" && draft.trim()) {
      event.preventDefault();
      take(draft);
    }
    if (event.key === "Backspace" && !draft) onChoose(chosen.slice(0, -1));
  };
  return (
    <div className={styles.picker}>
      <Field
        label={label}
        hint={hint}
        placeholder={placeholder}
        list={id}
        autoComplete="off"
        value={draft}
        onChange={({ target }) => {
          // A name of the list is taken at once: it was clicked.
          if (target.value.endsWith(",") || (offered.includes(target.value) && !draft.startsWith(target.value)))
            take(target.value);
          else setDraft(target.value);
        }}
        onKeyDown={press}
        onBlur={() => take(draft)}
      />
      <datalist id={id}>
        {offered
          .filter((name) => !chosen.includes(name))
          .map((name) => (
            <option key={name} value={name} />
          ))}
      </datalist>
      {chosen.length > 0 && (
        <ul className={styles.chosen} aria-label={`${label}: chosen`}>
          {chosen.map((name) => (
            <li key={name}>
              {name}
              <Button
                kind="quiet"
                icon={<CloseIcon size={10} />}
                aria-label={`Leave out ${name}`}
                onClick={() => onChoose(chosen.filter((one) => one !== name))}
              />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
