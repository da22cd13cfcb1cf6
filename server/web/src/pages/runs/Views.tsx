import { useQuery } from "@tanstack/react-query";
import { Popover } from "radix-ui";
import { useState, type FormEvent } from "react";

import { explain } from "../../api/failures";
import type { View } from "../../gen/stepwell_api/v1/search_pb";
import { Answer } from "../../parts/Answer";
import { Button } from "../../parts/Button";
import { Field } from "../../parts/Field";
import { CloseIcon } from "../../parts/icons";
import { say, told } from "../../parts/toast";
import { useViewChanges, viewsQuery } from "../../queries/views";
import type { RunsView } from "../../url/runsView";
import { addressOf, viewAt } from "../../url/savedView";
import { useMay } from "../access/may";
import styles from "./Views.module.css";

interface Props {
  experimentIds: bigint[];
  view: RunsView;
  show: (view: RunsView) => void;
  change: (part: Partial<RunsView>) => void;
}

/** Views with names, for everybody: what is shown now can be kept, and what was kept be shown. */
export function Views({ experimentIds, view, show, change }: Props) {
  const found = useQuery(viewsQuery(experimentIds));
  const views = found.data ?? [];
  const { save, remove } = useViewChanges();
  const may = useMay();
  const [name, setName] = useState("");
  const [open, setOpen] = useState(false);
  const shown = views.find((one) => String(one.viewId) === view.saved);
  const address = addressOf(view);
  const isChanged = shown !== undefined && shown.address !== address;
  const keep = (as: string, replace: boolean) =>
    save.mutate(
      { experimentIds, name: as, address, replace },
      {
        onSuccess: (answer) => {
          setName((now) => (now.trim() === as ? "" : now));
          setOpen(false);
          say(`The view ${as} is kept`);
          // And no more: filters and charts may be others by now.
          change({ saved: String(answer.view?.viewId) });
        },
      },
    );
  const drop = (one: View) =>
    told(remove.mutateAsync(one.viewId), () =>
      say(`The view ${one.name} is deleted`, () =>
        told(save.mutateAsync({ experimentIds, name: one.name, address: one.address, replace: false })),
      ),
    );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim()) keep(name.trim(), false);
  };
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger asChild>
        <Button aria-pressed={shown !== undefined} className={styles.button}>
          {shown ? `${shown.name}${isChanged ? " *" : ""}` : "Views"}
        </Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className={styles.window} align="end" sideOffset={4} collisionPadding={8}>
          <Answer found={found} what="views" empty={<p>Nobody has kept a view of these runs yet.</p>}>
            {(views) => (
              <ul>
                {views.map((one) => (
                  <li key={String(one.viewId)}>
                    <button
                      type="button"
                      className={styles.name}
                      aria-current={one === shown}
                      title={one.name}
                      onClick={() => (setOpen(false), show({ ...viewAt(one.address), saved: String(one.viewId) }))}
                    >
                      {one.name}
                    </button>
                    {may.write && (
                      <Button
                        kind="quiet"
                        icon={<CloseIcon size={12} />}
                        aria-label={`Delete the view ${one.name}`}
                        disabled={remove.isPending && remove.variables === one.viewId}
                        onClick={() => drop(one)}
                      />
                    )}
                  </li>
                ))}
              </ul>
            )}
          </Answer>
          {may.write && isChanged && shown && (
            <Button isBusy={save.isPending} onClick={() => keep(shown.name, true)}>
              Keep the changes in {shown.name}
            </Button>
          )}
          {may.write && (
            <form onSubmit={submit}>
              <Field
                label="Keep what is shown as"
                maxLength={200}
                value={name}
                problem={save.isError ? explain(save.error) : null}
                onChange={(event) => setName(event.target.value)}
              />
              <Button kind="primary" type="submit" isBusy={save.isPending} disabled={!name.trim()}>
                Keep
              </Button>
            </form>
          )}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
