/** A picture, sound or video of a series: log_image, log_audio or log_video with a key and a step. */
export interface StepImage {
  key: string;
  step: bigint;
  timestampMs: number;
  path: string;
  /** A small copy; the picture itself where there is none. */
  thumbnail: string;
}

/** Pictures, or sounds, or videos, of one key in order of steps. */
export interface ImageSeries {
  /** The key, and in which folder: pictures and sounds may have one key. */
  id: string;
  key: string;
  images: StepImage[];
}

/** Where series of files are. */
export const FOLDERS = ["images", "audio", "video"];
// images/<key, "#" for "/">%step%<n>%timestamp%<ms>%<unique>.png, as MLflow names them; older ones have "+" for "%".
const NAME = /^(?:images|audio|video)\/(.+)([%+])step\2(-?\d{1,19})\2timestamp\2(\d{1,16})\2([^/]+)\.(\w+)$/;
const SMALL = /[%+]compressed$/;

/** The series of pictures, sounds and videos among the files of a run, keys in natural order. */
export function imageSeries(paths: string[]): ImageSeries[] {
  const small = new Map<string, string>();
  const found = new Map<string, StepImage[]>();
  for (const path of paths) {
    const [, key = "", , step, time, unique = ""] = NAME.exec(path) ?? [];
    if (step === undefined) continue;
    if (SMALL.test(unique)) {
      small.set(unique.replace(SMALL, ""), path);
      continue;
    }
    const name = key.replaceAll("#", "/");
    const image = { key: name, step: BigInt(step), timestampMs: Number(time), path, thumbnail: unique };
    const series = `${name}\n${path.slice(0, path.indexOf("/"))}`;
    found.set(series, [...(found.get(series) ?? []), image]);
  }
  const order = new Intl.Collator("en", { numeric: true }).compare;
  return [...found]
    .sort(([a], [b]) => order(a, b))
    .map(([series, images]) => ({
      id: series,
      key: series.slice(0, series.lastIndexOf("\n")),
      images: images
        .map((image) => ({ ...image, thumbnail: small.get(image.thumbnail) ?? image.path }))
        .sort((a, b) => Number(a.step - b.step) || a.timestampMs - b.timestampMs),
    }));
}

/** All steps of some series, each once, in order. */
export function stepsOf(series: ImageSeries[]): bigint[] {
  const steps = new Set(series.flatMap(({ images }) => images.map(({ step }) => step)));
  return [...steps].sort((a, b) => (a < b ? -1 : 1));
}

/** The last picture that is not behind a step; undefined when all are. */
export function imageAt({ images }: ImageSeries, step: bigint): StepImage | undefined {
  let [low, high] = [0, images.length];
  while (low < high) {
    const half = (low + high) >> 1;
    if ((images[half] as StepImage).step <= step) low = half + 1;
    else high = half;
  }
  return images[low - 1];
}
