import { Popover } from "radix-ui";

import { Button } from "../parts/Button";
import styles from "./FilterHelp.module.css";

const EXAMPLES: [filter: string, what: string][] = [
  ["metrics.loss < 0.1", "the latest value of a metric; NaN fulfils only !="],
  ["min(metrics.loss) < 0.1", "of all its points: min, max, mean, count"],
  ["params.optimizer = 'adamw'", "params and tags are texts, in quotes"],
  ["number(params.lr) <= 1e-3", "a param or tag, read as a number"],
  ["params.`my lr` IS NOT NULL", "odd keys stand in backticks"],
  ["tags.team IN ('vision', 'speech')", "one of several"],
  ["run_name ILIKE '%resnet%'", "% stands for any text; ILIKE ignores case, REGEXP takes an expression"],
  ["status = 'FAILED' AND start_time > 1760000000000", "fields of runs; times in milliseconds"],
  ["datasets.name = 'mnist'", "a data set that a run used"],
  ["NOT (metrics.acc BETWEEN 0.2 AND 0.8)", "AND, OR, NOT and brackets"],
];

/** The grammar of filters at hand; a click takes an example. */
export function FilterHelp({ onTake }: { onTake: (filter: string) => void }) {
  return (
    <Popover.Root>
      <Popover.Trigger asChild>
        <Button kind="quiet" aria-label="Help with filters" className={styles.button}>
          ?
        </Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className={styles.window} align="end" sideOffset={4} collisionPadding={8}>
          <h3>Filters</h3>
          <dl>
            {EXAMPLES.map(([filter, what]) => (
              <div key={filter}>
                <dt>
                  <Popover.Close asChild>
                    <button type="button" onClick={() => onTake(filter)}>
                      {filter}
                    </button>
                  </Popover.Close>
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
          <p>Click an example to begin with it. Arrow keys choose what is offered, Enter searches.</p>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
