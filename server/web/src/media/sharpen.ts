import type { SyntheticEvent } from "react";

/** Of pictures that are shown larger than they are, the pixels are what one wants to see. */
export function sharpen({ currentTarget: image }: SyntheticEvent<HTMLImageElement>): void {
  const isLarger = image.naturalWidth < image.clientWidth && image.naturalHeight < image.clientHeight;
  image.style.imageRendering = isLarger ? "pixelated" : "auto";
}
