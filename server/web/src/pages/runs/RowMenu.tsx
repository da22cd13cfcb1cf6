import { DropdownMenu } from "radix-ui";
import { useState } from "react";

import type { Run } from "../../gen/stepwell_api/v1/runs_pb";
import { AskText } from "../../parts/AskText";
import menu from "../../parts/Menu.module.css";
import { copy } from "../../parts/copy";
import { say, told } from "../../parts/toast";
import { useOpener } from "../../parts/useOpener";
import { idFilter, useRunChanges } from "../../queries/runs";
import { runIdOf } from "../../table/rows";
import { PINNED_MAX, type RunsView } from "../../url/runsView";
import { useMay } from "../access/may";
import { COLOR_TAG, PALETTE } from "./runs";
import styles from "./RowMenu.module.css";

export interface MenuPlace {
  run: Run;
  x: number;
  y: number;
}

interface Props {
  place: MenuPlace | null;
  onClose: () => void;
  view: RunsView;
  change: (part: Partial<RunsView>) => void;
}

/** What can be done with one run of the table; one menu for all rows. */
export function RowMenu({ place, onClose, view, change }: Props) {
  const [renaming, setRenaming] = useState<Run | null>(null);
  const { rename } = useRunChanges();
  const giveBack = useOpener(place !== null);
  return (
    <>
      <DropdownMenu.Root open={place !== null} onOpenChange={(open) => !open && onClose()}>
        <DropdownMenu.Trigger asChild>
          {/* What closes gives it the focus, which belongs to the button of the row. */}
          <span
            className={styles.anchor}
            style={{ left: place?.x, top: place?.y }}
            aria-hidden="true"
            tabIndex={-1}
            onFocus={giveBack}
          />
        </DropdownMenu.Trigger>
        <DropdownMenu.Portal>
          <DropdownMenu.Content className={menu.menu} align="start" sideOffset={2}>
            {place && <Items run={place.run} view={view} change={change} onRename={() => setRenaming(place.run)} />}
          </DropdownMenu.Content>
        </DropdownMenu.Portal>
      </DropdownMenu.Root>
      {renaming && (
        <AskText
          title="Rename run"
          label="Name"
          verb="Rename"
          value={renaming.info?.name ?? ""}
          answer={(name) => rename.mutateAsync({ runId: runIdOf(renaming), name })}
          onClose={() => setRenaming(null)}
        />
      )}
    </>
  );
}

interface ItemsProps {
  run: Run;
  view: RunsView;
  change: (part: Partial<RunsView>) => void;
  onRename: () => void;
}

function Items({ run, view, change, onRename }: ItemsProps) {
  const id = runIdOf(run);
  const may = useMay();
  const pinned = view.pinned ?? [];
  const isPinned = pinned.includes(id);
  const isBaseline = view.baseline === id;
  const pin = () => {
    if (pinned.length >= PINNED_MAX) return say(`At most ${PINNED_MAX} runs are pinned`);
    change({ pinned: [...pinned, id] });
  };
  const unpin = () => change({ pinned: pinned.filter((one) => one !== id) });
  const item = (label: string, act: () => void) => (
    <DropdownMenu.Item key={label} className={menu.item} onSelect={act}>
      {label}
    </DropdownMenu.Item>
  );
  return (
    <>
      {item(isPinned ? "Unpin" : "Pin to the top", isPinned ? unpin : pin)}
      {item(isBaseline ? "No baseline" : "Use as baseline", () => change({ baseline: isBaseline ? undefined : id }))}
      {may.write && item("Rename", onRename)}
      {item("Copy id", () => copy(id))}
      {may.write && <Colors run={run} />}
    </>
  );
}

/** The colour of a run is a tag of it: everybody sees the same. */
function Colors({ run }: { run: Run }) {
  const { tag, untag } = useRunChanges();
  const id = runIdOf(run);
  const experimentIds = [run.info?.experimentId ?? 0n];
  const paint = (value: string) =>
    told(tag.mutateAsync({ chosen: { experimentIds, filter: idFilter([id]) }, key: COLOR_TAG, value }));
  const hasColor = run.tags.some((one) => one.key === COLOR_TAG);
  return (
    <div className={styles.colors} role="group" aria-label="Colour">
      {PALETTE.map((color, number) => (
        <DropdownMenu.Item
          key={color}
          className={styles.color}
          style={{ background: color }}
          aria-label={`Colour ${number + 1}`}
          onSelect={() => paint(color)}
        />
      ))}
      <DropdownMenu.Item
        className={menu.item}
        disabled={!hasColor}
        onSelect={() => told(untag.mutateAsync({ runId: id, key: COLOR_TAG }))}
      >
        Its own
      </DropdownMenu.Item>
    </div>
  );
}
