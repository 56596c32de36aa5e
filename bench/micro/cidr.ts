/** CIDR look-ups: nanoseconds each, build time and bytes. Run by hand: node bench/micro/cidr.ts */
import type { Cidr } from '../../src/lib/cidr.ts';
import { networkOf } from '../../src/lib/cidr.ts';
import { type CidrEntry, CidrSet } from '../../src/lib/cidr-set.ts';
import type { AddressWords } from '../../src/lib/ip-address.ts';

/** xorshift32: the same networks in every run. */
function generator(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

const v4 = (next: () => number): AddressWords => ({ family: 4, a: 0, b: 0, c: 0xffff, d: next() });
const v6 = (next: () => number): AddressWords => ({
  family: 6,
  a: (0x20000000 | (next() & 0x0fffffff)) >>> 0,
  b: next(),
  c: next(),
  d: next(),
});

function* entriesOf(networks: readonly Cidr[]): Generator<CidrEntry> {
  for (let value = 0; value < networks.length; value++) yield { network: networks[value], value };
}

function measure(family: 4 | 6, count: number, spread: number): Record<string, number | string> {
  const next = generator(count + family);
  const address = family === 4 ? v4 : v6;
  const bits = () => (family === 4 ? 32 - (next() % spread) : 64 - (next() % spread));
  const networks: Cidr[] = Array.from({ length: count }, () => networkOf(address(next), bits()));
  const started = performance.now();
  const set = CidrSet.from(entriesOf(networks));
  const buildMs = performance.now() - started;
  const probes = Array.from({ length: 65536 }, (_, i) => (i & 1 ? address(next) : networks[next() % count]));
  let best = Number.POSITIVE_INFINITY;
  let hits = 0;
  for (let round = 0; round < 12; round++) {
    const from = performance.now();
    hits = 0;
    for (const probe of probes) if (set.lookup(probe) >= 0) hits++;
    best = Math.min(best, ((performance.now() - from) * 1e6) / probes.length);
  }
  return {
    family: `IPv${family}`,
    entries: count,
    'ns/look-up': Math.round(best),
    'build ms': Math.round(buildMs),
    'bytes/entry': Math.round(set.byteLength / count),
    hits: `${Math.round((hits / probes.length) * 100)}%`,
  };
}

console.table([
  measure(4, 10_000, 9),
  measure(4, 1_000_000, 9),
  measure(6, 10_000, 33),
  measure(6, 1_000_000, 33),
]);
