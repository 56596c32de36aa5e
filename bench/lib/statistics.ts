/** The middle value (mean of the two middle ones); NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The value below which `share` (0 to 1) of the values lie, by nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

/** A middle value, and the two values between which the true one lies in 95 of 100 measurements. */
export interface Spread {
  readonly value: number;
  readonly from: number;
  readonly to: number;
}

/** 95 % of a normal distribution lie within so many standard deviations, which rank √n / 2 of n values apart. */
const DEVIATIONS = 1.96;

/** The median with its interval by order statistics, which asks for nothing of how the values are spread; NaN for none. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const reach = (DEVIATIONS * Math.sqrt(sorted.length)) / 2;
  const at = (rank: number) => sorted[Math.min(Math.max(rank, 0), sorted.length - 1)] ?? Number.NaN;
  return {
    value: median(values),
    from: at(Math.floor(middle - reach)),
    to: at(Math.ceil(middle + reach) - 1),
  };
}
