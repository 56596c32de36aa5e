/**
 * The mark of RSA keys made by a library whose primes can be found out (ROCA, CVE-2017-15361; Nemec et al., "The Return
 * of Coppersmith's Attack", 2017, §2): modulo each of these primes, the modulus is a power of 65537. A sound key
 * bears it once in 2^27.
 */
const PRIMES = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
const GENERATOR = 65537;

export function hasRocaFingerprint(modulus: bigint): boolean {
  return PRIMES.every((prime) => isPower(Number(modulus % BigInt(prime)), prime));
}

function isPower(rest: number, prime: number): boolean {
  let power = 1;
  do {
    if (power === rest) return true;
    power = (power * GENERATOR) % prime;
  } while (power !== 1);
  return false;
}
