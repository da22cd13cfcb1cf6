import { useQueries } from "@tanstack/react-query";
import { useState } from "react";

import { wholeNumber } from "../format/numbers";
import { Dialog } from "../parts/Dialog";
import { Empty, Failure } from "../parts/Notice";
import { artifactUrl } from "../queries/artifacts";
import { imagesQuery } from "../queries/images";
import { imageAt, stepsOf, type ImageSeries, type StepImage } from "./images";
import styles from "./ImageSteps.module.css";
import { sharpen } from "./sharpen";

export interface ImageRun {
  runId: string;
  name: string;
  live: boolean;
}

interface Shown {
  run: ImageRun;
  image: StepImage;
}

/** Pictures of runs by key at one step, which a slider chooses; those of several runs stand beside each other. */
export function ImageSteps({ runs }: { runs: ImageRun[] }) {
  const answers = useQueries({ queries: runs.map(({ runId, live }) => imagesQuery(runId, live)) });
  const ofRuns = answers.map(({ data }) => data ?? []);
  const steps = stepsOf(ofRuns.flat());
  // Until somebody chooses, the last step: it moves on while the runs log.
  const [chosen, setChosen] = useState<bigint | null>(null);
  const [opened, setOpened] = useState<Shown | null>(null);
  const place =
    chosen === null
      ? steps.length - 1
      : Math.max(
          steps.findLastIndex((step) => step <= chosen),
          0,
        );
  const step = steps[place];
  const failed = answers.find(({ isError }) => isError);
  if (failed) return <Failure error={failed.error} retry={() => void failed.refetch()} />;
  if (step === undefined)
    return answers.some(({ isPending }) => isPending) ? null : (
      <Empty title="No pictures by step">log_image(image, key="samples", step=3) brings them here.</Empty>
    );
  const keys = [...new Set(ofRuns.flatMap((series) => series.map(({ key }) => key)))].sort();
  return (
    <div className={styles.page}>
      <label className={styles.slider}>
        Step
        <input
          type="range"
          min={0}
          max={steps.length - 1}
          value={place}
          aria-valuetext={`step ${step}`}
          onChange={({ target }) => {
            const next = Number(target.value);
            setChosen(next === steps.length - 1 ? null : (steps[next] ?? null));
          }}
        />
        <output>{wholeNumber(step)}</output>
      </label>
      <div className={`${styles.scroll} ${runs.length === 1 ? styles.grid : ""}`}>
        {keys.map((key) => (
          <section key={key} aria-label={`Pictures of ${key}`}>
            <h3>{key}</h3>
            <div className={styles.row}>
              {runs.map((run, number) => (
                <Picture
                  key={run.runId}
                  run={run}
                  series={ofRuns[number]?.find((one) => one.key === key)}
                  step={step}
                  isNamed={runs.length > 1}
                  onOpen={(image) => setOpened({ run, image })}
                />
              ))}
            </div>
          </section>
        ))}
      </div>
      {opened && (
        <Dialog
          open
          full
          title={`${opened.image.key}, step ${wholeNumber(opened.image.step)}`}
          onClose={() => setOpened(null)}
        >
          <img
            className={styles.full}
            onLoad={sharpen}
            src={artifactUrl(opened.run.runId, opened.image.path)}
            alt={opened.image.key}
          />
        </Dialog>
      )}
    </div>
  );
}

interface PictureProps {
  run: ImageRun;
  series: ImageSeries | undefined;
  step: bigint;
  isNamed: boolean;
  onOpen: (image: StepImage) => void;
}

function Picture({ run, series, step, isNamed, onOpen }: PictureProps) {
  const image = series && imageAt(series, step);
  return (
    <figure className={styles.picture}>
      {image ? (
        <button type="button" onClick={() => onOpen(image)} aria-label={`Open ${image.key} of ${run.name}`}>
          <img
            src={artifactUrl(run.runId, image.thumbnail)}
            alt={`${image.key} at step ${image.step}`}
            loading="lazy"
            onLoad={sharpen}
          />
        </button>
      ) : (
        <div className={styles.none}>none yet</div>
      )}
      <figcaption>
        {isNamed && <b>{run.name}</b>} {image && `step ${wholeNumber(image.step)}`}
      </figcaption>
    </figure>
  );
}
