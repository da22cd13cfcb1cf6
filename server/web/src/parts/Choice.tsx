import { useId } from "react";

import field from "./Field.module.css";

interface Props<T extends string> {
  label: string;
  hideLabel?: boolean;
  hint?: string;
  options: readonly (readonly [T, string])[];
  value: T;
  disabled?: boolean;
  onChange: (value: T) => void;
}

/** One of a few, from a list that the browser draws. */
export function Choice<T extends string>({ label, hideLabel, hint, options, value, disabled, onChange }: Props<T>) {
  const id = useId();
  return (
    <div className={field.field}>
      <label htmlFor={id} className={hideLabel ? field.hidden : field.label}>
        {label}
      </label>
      <select
        id={id}
        className={field.input}
        disabled={disabled}
        value={value}
        onChange={(event) => onChange(event.target.value as T)}
      >
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
      {hint && <p className={field.hint}>{hint}</p>}
    </div>
  );
}
