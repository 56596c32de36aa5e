import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { differencesIn, readTurns } from '../../bench/lib/paired.ts';
import { barLine } from '../../bench/lib/report.ts';
import { spreadOf } from '../../bench/lib/statistics.ts';

/** Turns of these paths, one after the other, with what a request took. */
const turns = (...figures: readonly (readonly [at: number, us: number])[]) =>
  figures.map(([at, microsecondsPerRequest]) => ({ at, microsecondsPerRequest }));

describe('a lane against the bare one', () => {
  it('reads what the load wrote, and nothing else of its output', () => {
    const output =
      'Running 1s test @ http://127.0.0.1\nturn 0 20000\nturn 1 30000\n  turn 2 1 \n5 requests in 1s\n';
    assert.deepEqual(readTurns(output, 10), turns([0, 2], [1, 3]));
  });

  it('takes each turn over the mean of those around it, so that a machine that slows down steadily adds nothing', () => {
    const slower = turns([0, 20], [1, 23], [2, 22], [3, 28], [0, 24], [1, 27], [2, 26]);
    assert.deepEqual(differencesIn(slower, 2), [[2, 2], [5]]);
  });

  it('leaves out a turn without one before or behind it', () => {
    assert.deepEqual(differencesIn(turns([1, 9], [2, 1], [3, 5]), 2), [[], []]);
    assert.deepEqual(differencesIn([], 1), [[]]);
  });
});

describe('spreadOf', () => {
  const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

  it('gives the median between the values of the ranks that it may have', () => {
    assert.deepEqual(spreadOf(upTo(100).toReversed()), { value: 50.5, from: 41, to: 60 });
    assert.deepEqual(spreadOf(upTo(400)), { value: 200.5, from: 181, to: 220 });
  });

  it('is as wide as all values where they are few, and nothing where there are none', () => {
    assert.deepEqual(spreadOf([3, 1, 2]), { value: 2, from: 1, to: 3 });
    assert.deepEqual(spreadOf([]), { value: Number.NaN, from: Number.NaN, to: Number.NaN });
  });
});

describe('a bar', () => {
  const cases = [
    [{ name: 'a', value: 0.98765, limit: 1 }, 'PASS a 0.988 1'],
    [{ name: 'a', value: 1.2, limit: 1, spread: { from: 0.9, to: 1.5 } }, 'MISS a 1.2 1 (0.90 to 1.50)'],
    [{ name: 'a', value: Number.NaN, limit: 1 }, 'MISS a NaN 1'],
  ] as const;
  for (const [bar, line] of cases) it(line, () => assert.equal(barLine(bar), line));
});
