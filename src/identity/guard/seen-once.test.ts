import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { remote } from '../../../test/fixtures/nobody-there.ts';
import { DEFAULT_NOW_MS, policyContext } from '../../../test/fixtures/policy-context.ts';
import type { CounterState } from '../../contract/index.ts';
import { createLocalCounters } from '../../state/index.ts';
import { SeenOnce, type Use, windowFor } from './seen-once.ts';

const USE: Use = { kind: 'dpop', id: 'a', windowMs: 1000 };

describe('what is good for one request', () => {
  for (const kept of [(state: CounterState) => state, remote]) {
    const where = kept === remote ? ', counted elsewhere' : '';

    it(`is refused with another, also by another worker${where}`, async () => {
      const state = kept(createLocalCounters());
      assert.equal(await new SeenOnce().isFirst(policyContext({ state }), USE), true);
      assert.equal(await new SeenOnce().isFirst(policyContext({ state }), USE), false);
      const last = policyContext({ state, nowMs: DEFAULT_NOW_MS + 999 });
      assert.equal(await new SeenOnce().isFirst(last, USE), false);
    });

    it(`is good for all who look at that one, at once too${where}`, async () => {
      const seen = new SeenOnce();
      const c = policyContext({ state: kept(createLocalCounters()) });
      assert.deepEqual(await Promise.all([seen.isFirst(c, USE), seen.isFirst(c, USE)]), [true, true]);
    });
  }

  it('is told apart by kind and id', async () => {
    const [seen, state] = [new SeenOnce(), createLocalCounters()];
    for (const use of [USE, { ...USE, kind: 'hmac' }, { ...USE, id: 'b' }])
      assert.equal(await seen.isFirst(policyContext({ state }), use), true);
  });

  it('is not used up in shadow, for the same request either', async () => {
    const [seen, state] = [new SeenOnce(), createLocalCounters()];
    const c = policyContext({ state });
    assert.equal(await seen.isFirst({ ...c, shadow: true }, USE), true);
    assert.equal(await seen.isFirst(policyContext({ state, shadow: true }), USE), false);
    assert.equal(await seen.isFirst(c, USE), true);
  });
});

it('attachments with other rules remember for equal lengths', () => {
  const lengths = [100, 500];
  assert.deepEqual(
    [1, 100, 101, 500, 501].map((ms) => windowFor(ms, lengths)),
    [100, 100, 500, 500, 501],
  );
});
