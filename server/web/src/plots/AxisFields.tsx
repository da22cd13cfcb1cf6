import { useState } from "react";

import { Button } from "../parts/Button";
import { KeyList } from "../parts/KeyList";
import { PARALLEL_AXES_MAX, PLOTS, type PlotKind } from "./kinds";
import styles from "./AxisFields.module.css";

interface Props {
  kind: PlotKind;
  /** Ids of columns that may be axes. */
  ids: string[];
  chosen: string[];
  onChosen: (ids: string[]) => void;
}

/** Chooses the columns that are the axes of a plot. */
export function AxisFields({ kind, ids, chosen, onChosen }: Props) {
  const { axes, needed } = PLOTS[kind];
  const [open, setOpen] = useState<number | null>(null);
  if (kind === "parallel")
    return (
      <KeyList
        label={`Axes, ${needed} to ${PARALLEL_AXES_MAX}`}
        keys={ids}
        chosen={new Set(chosen)}
        onToggle={(id) => onChosen(toggled(chosen, id).slice(0, PARALLEL_AXES_MAX))}
      />
    );
  return (
    <>
      {axes.map((axis, place) => (
        <div key={axis} className={styles.axis}>
          <span>{axis}</span>
          <Button aria-expanded={open === place} onClick={() => setOpen(open === place ? null : place)}>
            {chosen[place] ?? (place < needed ? "choose" : "none")}
          </Button>
          {place >= needed && chosen[place] && (
            <Button kind="quiet" onClick={() => onChosen(chosen.slice(0, place))}>
              Leave out
            </Button>
          )}
          {open === place && (
            <div className={styles.list}>
              <KeyList
                label={axis}
                keys={ids}
                chosen={new Set(chosen[place] ? [chosen[place]] : [])}
                single
                onToggle={(id) => {
                  onChosen(Object.assign([...chosen], { [place]: id }));
                  setOpen(null);
                }}
              />
            </div>
          )}
        </div>
      ))}
    </>
  );
}

/** The columns that a plot of this kind begins with. */
export function usualAxes(kind: PlotKind, ids: string[]): string[] {
  const params = ids.filter((id) => id.startsWith("params."));
  const metrics = ids.filter((id) => id.startsWith("metrics."));
  const [metric = ids[0], param = ids[1]] = [metrics[0], params[0]];
  const axes: (string | undefined)[] = {
    scatter: [param, metric],
    parallel: [...params.slice(0, 4), ...metrics.slice(0, 2)],
    contour: [param, params[1] ?? metrics[1], metric],
    box: [metric, param],
    bar: [metric],
    histogram: [metric],
  }[kind];
  return axes.filter((id) => id !== undefined);
}

function toggled(chosen: string[], id: string): string[] {
  return chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id];
}
