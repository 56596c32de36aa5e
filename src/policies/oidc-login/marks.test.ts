import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NO_STATE } from '../../../test/fixtures/nobody-there.ts';
import { DEFAULT_NOW_MS as T } from '../../../test/fixtures/policy-context.ts';
import type { CounterState } from '../../contract/index.ts';
import { PolicyFailure } from '../../errors.ts';
import { attachSharedCounters, createLocalCounters, createSharedCounters } from '../../state/index.ts';
import { MAX_MARK_MS, Marks } from './marks.ts';

const HOUR_MS = 3_600_000;
const random = { hex: (bytes: number) => '5a'.repeat(bytes) };

/** Two views of the same counters, as two workers have them. */
const STATES: readonly (readonly [name: string, open: () => readonly [CounterState, CounterState]])[] = [
  [
    'counters of this thread',
    () => {
      const state = createLocalCounters();
      return [state, state];
    },
  ],
  [
    'counters of all threads',
    () => {
      const { memory } = createSharedCounters({ random, maxKeys: 1024 });
      return [attachSharedCounters(memory), attachSharedCounters(memory)];
    },
  ],
];

for (const [name, open] of STATES) {
  describe(`marks in ${name}`, () => {
    const marks = new Marks('scope', HOUR_MS);

    it('are not there at first', async () => {
      const [a] = open();
      assert.equal(await marks.since(a, 'k', T), undefined);
    });

    it('are placed once, whoever comes second', async () => {
      const [a, b] = open();
      assert.equal(await marks.place(a, 'k', T), true);
      assert.equal(await marks.place(b, 'k', T), false);
      assert.equal(await marks.place(b, 'k', T + HOUR_MS - 1), false);
      assert.equal(await marks.place(b, 'k', T + HOUR_MS), true);
    });

    it('tell since when they stand, to the millisecond, until their life is over', async () => {
      const [a, b] = open();
      await marks.renew(a, 'k', T);
      for (const laterMs of [0, 1, 999, 1000, 60_001, HOUR_MS - 1])
        assert.equal(await marks.since(b, 'k', T + laterMs), T, `after ${laterMs} ms`);
      assert.equal(await marks.since(b, 'k', T + HOUR_MS), undefined);
    });

    it('are renewed as of now', async () => {
      const [a, b] = open();
      await marks.renew(a, 'k', T);
      await marks.renew(b, 'k', T + 1234);
      assert.equal(await marks.since(a, 'k', T + 5000), T + 1234);
      await marks.renew(a, 'k', T + 1234);
      assert.equal(await marks.since(b, 'k', T + 5000), T + 1234);
    });

    it('do not suffer from clocks that are a little apart', async () => {
      const [a, b] = open();
      await marks.renew(a, 'k', T);
      for (let i = 0; i < 50; i++) {
        await marks.since(a, 'k', T + 30_000);
        await marks.since(b, 'k', T);
      }
      assert.equal(await marks.since(a, 'k', T + 30_000), T);
    });

    it('are told apart by key, scope and life', async () => {
      const [a] = open();
      await marks.renew(a, 'k', T);
      assert.equal(await marks.since(a, 'l', T), undefined);
      assert.equal(await new Marks('other', HOUR_MS).since(a, 'k', T), undefined);
      assert.equal(await new Marks('scope', HOUR_MS + 1).since(a, 'k', T), undefined);
    });

    it('of the longest life are exact', async () => {
      const [a] = open();
      const long = new Marks('long', MAX_MARK_MS);
      await long.renew(a, 'k', T);
      assert.equal(await long.since(a, 'k', T + MAX_MARK_MS - 1), T);
      assert.equal(await long.since(a, 'k', T + MAX_MARK_MS), undefined);
    });
  });
}

describe('marks where there is no room', () => {
  const full: CounterState = {
    ...NO_STATE,
    gcra: () => ({ allowed: false, remaining: 0, retryAfterMs: 5, resetMs: 5 }),
  };
  const marks = new Marks('scope', HOUR_MS);

  it('are not placed', async () => assert.equal(await marks.place(full, 'k', T), false));

  it('cannot be told to be there or not', () => {
    assert.throws(() => marks.since(full, 'k', T), PolicyFailure);
  });

  it('are not taken for renewed', () => assert.rejects(marks.renew(full, 'k', T), PolicyFailure));

  it('ask nobody again where counters answer later', async () => {
    const local = createLocalCounters();
    const slow: CounterState = {
      ...local,
      gcra: async (...of) => await local.gcra(...of),
      slidingWindow: () => assert.fail(),
    };
    await marks.renew(slow, 'k', T);
    assert.equal(await marks.since(slow, 'k', T + 7), T);
  });
});
