/**
 * An exponential moving average that is aware of how dense the points are: a weight is for one median distance of x,
 * so gaps forget more. Debiased, so that it begins at the first value. NaN stays NaN and is passed over.
 * `weight` is from 0 (off) to below 1.
 */
export function smoothed(x: Float64Array, y: Float64Array, weight: number): Float64Array {
  const unit = medianDistance(x);
  const result = new Float64Array(y.length).fill(Number.NaN);
  let sum = 0;
  let mass = 0;
  let before = Number.NaN;
  for (let place = 0; place < y.length; place++) {
    const value = y[place] as number;
    if (!Number.isFinite(value)) continue;
    const at = x[place] as number;
    const kept = Number.isNaN(before) ? 0 : weight ** Math.max((at - before) / unit, 0);
    sum = sum * kept + value * (1 - weight);
    mass = mass * kept + (1 - weight);
    result[place] = sum / mass;
    before = at;
  }
  return result;
}

function medianDistance(x: Float64Array): number {
  const distances = Float64Array.from({ length: Math.max(x.length - 1, 0) }, (_, place) => {
    return (x[place + 1] as number) - (x[place] as number);
  }).filter((distance) => distance > 0);
  return distances.length ? (distances.sort()[distances.length >> 1] as number) : 1;
}
