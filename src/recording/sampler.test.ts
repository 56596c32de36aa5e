import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { seeded } from '../../test/fixtures/recording/stage.ts';
import { type Sample, Sampler } from './sampler.ts';

const BOUNDS = { records: 200, sample: 40 };

/** Offers requests by their keys; each record says which it is. */
function sampled(
  keys: readonly (readonly [group: string, caller: string])[],
  bounds = BOUNDS,
  seed = 1,
): Sample {
  const sampler = new Sampler(bounds, seeded(seed));
  for (const [i, [group, caller]] of keys.entries())
    if (sampler.offer(group, caller)) sampler.keep({ atMs: i, line: `${group} ${caller}` });
  return sampler.end();
}

const times = <T>(n: number, value: T): T[] => new Array<T>(n).fill(value);
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

describe('a sampler', () => {
  it('keeps every request up to its bound, each for itself', () => {
    const { kept, seen } = sampled(times(200, ['orders', 'app']));
    assert.deepEqual([kept.length, seen], [200, 200]);
    assert.ok(kept.every(({ weight }) => weight === 1));
  });

  it('lets the flood of one caller push nobody out', () => {
    const quiet = times(5, ['orders', 'quiet'] as const);
    const others = times(5, ['invoices', 'flood'] as const);
    const flood = times(20_000, ['orders', 'flood'] as const);
    const { kept, seen } = sampled([...quiet, ...flood, ...others, ...quiet]);
    const of = (line: string) => kept.filter((one) => one.line === line);
    assert.equal(seen, 20_015);
    assert.deepEqual([of('orders quiet').length, of('invoices flood').length], [10, 5]);
    assert.ok([...of('orders quiet'), ...of('invoices flood')].every(({ weight }) => weight === 1));
    assert.equal(sum(of('orders flood').map(({ weight }) => weight)), 20_000);
  });

  it('keeps one of each kind where there are more kinds than room, and counts the rest together', () => {
    const many = Array.from({ length: 5000 }, (_, i) => ['orders', `caller-${i}`] as const);
    const { kept, seen } = sampled(many);
    assert.equal(seen, 5000);
    assert.ok(kept.length <= BOUNDS.sample + 1, `${kept.length} are kept`);
    assert.equal(sum(kept.map(({ weight }) => weight)), 5000);
  });

  it('has places for no more kinds than its sample, however many groups there are', () => {
    const many = Array.from({ length: 5000 }, (_, i) => [`route-${i}`, `caller-${i}`] as const);
    const { kept } = sampled(many);
    assert.ok(kept.length <= BOUNDS.sample + 1, `${kept.length} are kept`);
    assert.equal(sum(kept.map(({ weight }) => weight)), 5000);
  });

  it('never keeps more than its bound', () => {
    const sampler = new Sampler(BOUNDS, seeded());
    for (let i = 0; i < 10_000; i++) {
      if (sampler.offer(`route-${i % 30}`, `caller-${i % 7}`)) sampler.keep({ atMs: i, line: '' });
      assert.ok(sampler.count <= BOUNDS.records);
    }
  });

  it('keeps early and late requests alike', () => {
    const early = times(20, 0).map((_, seed) => {
      const { kept } = sampled(times(4000, ['orders', 'app']), BOUNDS, 2 * seed + 1);
      return kept.filter(({ atMs }) => atMs < 2000).length / kept.length;
    });
    const share = sum(early) / early.length;
    assert.ok(share > 0.43 && share < 0.57, `${share} of them are of the first half`);
  });

  it('thins from the start what was too much before, and nothing else', () => {
    const before = sampled(times(20_000, ['orders', 'flood']));
    const sampler = new Sampler(BOUNDS, seeded(), before.expected);
    let drawn = 0;
    const offer = (caller: string): void => {
      if (!sampler.offer('orders', caller)) return;
      drawn++;
      sampler.keep({ atMs: 0, line: caller });
    };
    for (let i = 0; i < 50; i++) offer('quiet');
    for (let i = 0; i < 20_000; i++) offer('flood');
    assert.ok(drawn < 50 + 4 * BOUNDS.sample, `${drawn} were drawn`);
    const { kept, seen } = sampler.end();
    const flood = kept.filter(({ line }) => line === 'flood');
    assert.equal(seen, 20_050);
    assert.equal(sum(flood.map(({ weight }) => weight)), 20_000);
    assert.ok(flood.length > BOUNDS.sample, `${flood.length} are kept`);
    assert.equal(kept.length - flood.length, 50);
  });

  it('keeps one at least where there are few of what was too much before', () => {
    const { expected } = sampled(times(20_000, ['orders', 'flood']));
    const sampler = new Sampler(BOUNDS, seeded(), expected);
    for (let i = 0; i < 5; i++) if (sampler.offer('orders', 'flood')) sampler.keep({ atMs: i, line: '' });
    const after = sampler.end();
    assert.equal(sum(after.kept.map(({ weight }) => weight)), 5);
    // And then all again.
    assert.equal(after.expected.size, 0);
  });

  it('does not count what was withdrawn', () => {
    const sampler = new Sampler(BOUNDS, seeded());
    sampler.offer('orders', 'app');
    sampler.withdraw();
    sampler.offer('orders', 'app');
    sampler.keep({ atMs: 1, line: 'kept' });
    const { kept, seen } = sampler.end();
    assert.deepEqual([kept, seen], [[{ atMs: 1, line: 'kept', weight: 1 }], 1]);
  });

  it('gives weights that sum to what was seen, of each kind exactly', () => {
    const key = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('x', 'y', 'z'));
    const run = fc.tuple(key, fc.integer({ min: 1, max: 300 }));
    fc.assert(
      fc.property(fc.array(run, { maxLength: 12 }), fc.integer(), (runs, seed) => {
        const keys = runs.flatMap(([one, n]) => times(n, one));
        const { kept, seen } = sampled(keys, BOUNDS, seed);
        assert.equal(seen, keys.length);
        for (const [group, caller] of keys) {
          const line = `${group} ${caller}`;
          const weights = kept.filter((one) => one.line === line).map(({ weight }) => weight);
          assert.equal(sum(weights), keys.filter((one) => `${one[0]} ${one[1]}` === line).length);
        }
      }),
      { numRuns: 100 },
    );
  });
});
