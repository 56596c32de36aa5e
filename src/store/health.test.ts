import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { StoreHealth } from './health.ts';
import { StoreError } from './store.ts';

/** A health whose time and probes are the test's. */
function world() {
  const events: string[] = [];
  const delays: number[] = [];
  let nowMs = 1_000_000;
  let up = Number.NaN;
  let isBack = false;
  let due: (() => void) | undefined;
  const tell = (event: string): void => void events.push(event);
  const health = new StoreHealth({
    clock: { now: () => nowMs, monotonic: () => nowMs },
    log: { info: tell, warn: tell, error: tell },
    up: {
      set: (value) => {
        up = value;
      },
    },
    store: 'test',
    schedule: (work, delayMs) => {
      delays.push(delayMs);
      due = work;
    },
  });
  health.probeBy(async () => {
    if (!isBack) throw new StoreError('unavailable', 'still not there');
  });
  return {
    health,
    events,
    delays,
    up: () => up,
    pass: (ms: number) => {
      nowMs += ms;
    },
    probe: async (found: boolean) => {
      isBack = found;
      due?.();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

const lost = (code: 'unavailable' | 'corrupt' = 'unavailable'): StoreError =>
  new StoreError(code, 'the store failed', { cause: new Error('disk') });

const refused = { name: 'StoreError', code: 'unavailable' };

describe('the health of a store', () => {
  test('is good at first, and says nothing', () => {
    const { health, events, up } = world();
    health.admit();
    assert.deepEqual([health.state, events, up()], ['ok', [], 1]);
  });

  test('is not touched by what callers did wrong, nor by one bad entry', () => {
    const { health, events } = world();
    for (const code of ['not-found', 'conflict', 'closed'] as const) {
      health.failed(new StoreError(code, 'no', { cause: new Error('x') }));
    }
    health.failed(new StoreError('corrupt', 'the store holds an unreadable entry'));
    health.admit();
    assert.deepEqual([health.state, events], ['ok', []]);
  });

  test('refuses while it is lost, probes with longer pauses, and is told once', async () => {
    const { health, events, delays, up, probe } = world();
    health.failed(lost());
    health.failed(lost());
    assert.throws(() => health.admit(), refused);
    for (let n = 0; n < 6; n++) await probe(false);
    assert.throws(() => health.admit(), refused);
    assert.deepEqual(delays, [250, 500, 1000, 2000, 4000, 5000, 5000]);
    assert.deepEqual([events, up(), health.state], [['store-unavailable'], 0, 'unavailable']);
    let back = 0;
    health.onBack(() => back++);
    await probe(true);
    health.admit();
    assert.deepEqual([events, up(), back], [['store-unavailable', 'store-recovered'], 1, 1]);
  });

  test('does not believe one that is lost again at once as quickly as before', async () => {
    const { health, delays, pass, probe } = world();
    health.failed(lost());
    await probe(true);
    pass(9999);
    health.failed(lost());
    await probe(true);
    pass(10_000);
    health.failed(lost());
    assert.deepEqual(delays, [250, 500, 250]);
  });

  test('is damaged, said once, and goes on answering', () => {
    const { health, events, delays, up } = world();
    health.failed(lost('corrupt'));
    health.failed(lost('corrupt'));
    health.admit();
    assert.deepEqual([health.state, events, delays, up()], ['damaged', ['store-damaged'], [], 0]);
  });

  test('is asked for no more at the end', async () => {
    const { health, events, delays, probe } = world();
    health.failed(lost());
    health.end();
    await probe(true);
    health.failed(lost());
    assert.deepEqual([events, delays], [['store-unavailable'], [250]]);
  });

  test('tells who waits for the next return but once', async () => {
    const { health, probe, pass } = world();
    let back = 0;
    health.onceBack(() => back++);
    health.onceBack(() => back++)();
    for (const _ of [1, 2]) {
      health.failed(lost());
      await probe(true);
      pass(20_000);
    }
    assert.equal(back, 1);
  });
});
