import { useQueries } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { wholeNumber } from "../format/numbers";
import { Dialog } from "../parts/Dialog";
import { Empty, Failure, Loading } from "../parts/Notice";
import { artifactUrl } from "../queries/artifacts";
import { imagesQuery } from "../queries/images";
import { imageAt, stepsOf, type ImageSeries, type StepImage } from "./images";
import styles from "./ImageSteps.module.css";
import { kindOf } from "./kinds";
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

/** Pictures, sounds and videos of runs by key at one step, which a slider chooses; those of several runs stand beside each other. */
export function ImageSteps({ runs }: { runs: ImageRun[] }) {
  const answers = useQueries({ queries: runs.map(({ runId, live }) => imagesQuery(runId, live)) });
  const ofRuns = answers.map(({ data }) => data ?? []);
  const steps = stepsOf(ofRuns.flat());
  // Until somebody chooses, the last step: it moves on while the runs log.
  const asked = useSearch({ strict: false }).step;
  const chosen = asked !== undefined && /^-?\d{1,19}$/.test(asked) ? BigInt(asked) : null;
  const navigate = useNavigate();
  const choose = (step: bigint | undefined) =>
    void navigate({ to: ".", search: (now) => ({ ...now, step: step?.toString() }), replace: true });
  const [opened, setOpened] = useState<Shown | null>(null);
  const place =
    chosen === null
      ? steps.length - 1
      : Math.max(
          steps.findLastIndex((step) => step <= chosen),
          0,
        );
  const step = steps[place];
  const failed = answers.find(({ isLoadingError }) => isLoadingError);
  if (failed) return <Failure error={failed.error} retry={() => void failed.refetch()} />;
  if (step === undefined)
    return answers.some(({ isPending }) => isPending) ? (
      <Loading what="pictures" />
    ) : (
      <Empty title="No pictures by step">
        log_image(image, key="samples", step=3), log_audio and log_video bring them here.
      </Empty>
    );
  const keys = new Map(ofRuns.flatMap((series) => series.map(({ id, key }) => [id, key] as const)));
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
            choose(next === steps.length - 1 ? undefined : steps[next]);
          }}
        />
        <output>{wholeNumber(step)}</output>
      </label>
      <div className={`${styles.scroll} ${runs.length === 1 ? styles.grid : ""}`}>
        {[...keys].map(([id, key]) => (
          <section key={id} aria-label={`Pictures of ${key}`}>
            <h3>{key}</h3>
            <div className={styles.row}>
              {runs.map((run, number) => (
                <Picture
                  key={run.runId}
                  run={run}
                  series={ofRuns[number]?.find((one) => one.id === id)}
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

interface ShownProps {
  runId: string;
  runName: string;
  image: StepImage;
  onOpen: () => void;
}

/** A picture to be opened; a sound or a video to be played. */
function Shown({ runId, runName, image, onOpen }: ShownProps) {
  const name = `${image.key} at step ${image.step}`;
  const url = artifactUrl(runId, image.path);
  switch (kindOf(image.path)) {
    case "audio":
      return <audio controls src={url} aria-label={name} preload="metadata" />;
    case "video":
      return <video controls loop muted src={url} aria-label={name} preload="metadata" />;
    case "image":
      return (
        <button type="button" onClick={onOpen} aria-label={`Open ${image.key} of ${runName}`}>
          <img src={artifactUrl(runId, image.thumbnail)} alt={name} loading="lazy" onLoad={sharpen} />
        </button>
      );
    default:
      return <a href={artifactUrl(runId, image.path, "download")}>Download {name}</a>;
  }
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
        <Shown runId={run.runId} runName={run.name} image={image} onOpen={() => onOpen(image)} />
      ) : (
        <div className={styles.none}>none yet</div>
      )}
      <figcaption>
        {isNamed && <b>{run.name}</b>} {image && `step ${wholeNumber(image.step)}`}
      </figcaption>
    </figure>
  );
}
