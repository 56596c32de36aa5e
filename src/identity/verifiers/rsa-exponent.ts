const [SMALLEST, LIMIT] = [3n, 2n ** 32n];

/**
 * Whether an RSA key may have that public exponent. With 1 every text is its own signature; even ones are none at all;
 * and each bit of a long one costs: with 3072 bits a signature takes milliseconds to verify, at its sender's choice.
 */
export const isSoundExponent = (exponent: bigint): boolean =>
  exponent >= SMALLEST && exponent < LIMIT && exponent % 2n === 1n;
