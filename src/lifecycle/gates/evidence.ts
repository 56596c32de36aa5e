/**
 * What is looked for: effects of the size that matters, and for the tenth part ten times that. Looked for at one size alone,
 * what breaks every third request is believed later than what breaks one of twenty.
 */
const EFFECTS = [
  { times: 1, weight: 0.9 },
  { times: 10, weight: 0.1 },
] as const;

/**
 * How much speaks against "the true difference is not above zero", looked at as often as one likes: the likelihood ratio
 * of a mixture of normal effects against none (Robbins 1970; Johari et al., "Always Valid Inference", 2022). Under the
 * hypothesis the chance that it ever passes 1/a is at most a, so that who looks every quarter of a second does not cry
 * wolf. Normal only in the limit: the variance has to be told with care (see `compareRates`).
 *
 * @param difference what was measured beyond what is allowed
 * @param variance of that measurement
 * @param scale the size of an effect that matters, in the same unit; only how soon it is seen depends on it
 * @returns the ratio; 1 says nothing, 2,000 that such a difference comes by chance once in 2,000 rollouts
 */
export function mixtureRatio(difference: number, variance: number, scale: number): number {
  if (difference <= 0 || variance <= 0) return 0;
  const squares = (difference * difference) / variance;
  let ratio = 0;
  for (const { times, weight } of EFFECTS) {
    const spread = (times * scale) ** 2 / variance;
    ratio += (weight * Math.exp((squares * spread) / (2 * (1 + spread)))) / Math.sqrt(1 + spread);
  }
  return ratio;
}

/** A ratio as a share of certainty: 0 for none, 0.9995 for 2,000. */
export const surenessOf = (ratio: number): number => (ratio <= 1 ? 0 : 1 - 1 / ratio);
