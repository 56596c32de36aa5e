/** Notes of quotas that a store counts for several nodes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Charge, CounterState } from '../../contract/index.ts';
import { createLocalCounters } from './local-counters.ts';
import { noteQuotas, QuotaNotes } from './quota-notes.ts';

const NOW = 1_800_000_000_000;
const about = { attachment: 'route:orders/quota', name: 'daily', by: 'consumer', shadow: false };
const rule = { limit: 1, startMs: NOW - 1000, endMs: NOW + 1000, carryOver: 0, about };
const charge = (key: string): Charge => ({ kind: 'quota', scope: 's', key, rule, cost: 1 });
const keysOf = (notes: QuotaNotes): string[] => notes.take().map(({ key }) => key);

/** Counters of which a request has a view of its own, as those of a store. */
function storeLike() {
  const all = createLocalCounters();
  const asked: string[] = [];
  const viewOf = (name: string, more: Partial<CounterState> = {}): CounterState => ({
    gcra: (...use) => {
      asked.push(name);
      return all.gcra(...use);
    },
    slidingWindow: (...use) => all.slidingWindow(...use),
    charge: async (charges, nowMs) => {
      asked.push(name);
      return await all.charge(charges, nowMs);
    },
    refund: (...use) => all.refund(...use),
    tally: (...use) => all.tally(...use),
    acquire: (...use) => all.acquire(...use),
    ...more,
  });
  let requests = 0;
  const state = viewOf('thread', { ofRequest: () => viewOf(`request ${++requests}`) });
  return { state, asked };
}

describe('notes of quotas in a store', () => {
  it('leave each request the patience that it has: it asks by a view of its own', async () => {
    const { state, asked } = storeLike();
    const noted = noteQuotas(state, new QuotaNotes(), 'asked');
    const first = noted.ofRequest?.() ?? assert.fail('the patience of a request is lost');
    const second = noted.ofRequest?.() ?? assert.fail('the patience of a request is lost');
    await first.gcra('s', 'k', { limit: 9, windowMs: 1000, burst: 9 }, 1, NOW);
    await first.charge([charge('a')], NOW);
    await second.charge([charge('b')], NOW);
    await noted.charge([charge('c')], NOW);
    assert.deepEqual(asked, ['request 1', 'request 1', 'request 2', 'thread']);
  });

  it('name what a request charged by its view, also what it gave back', async () => {
    const notes = new QuotaNotes();
    const request = noteQuotas(storeLike().state, notes, 'asked').ofRequest?.();
    await request?.charge([charge('a')], NOW);
    assert.deepEqual(keysOf(notes), ['a']);
    await request?.refund([charge('b')], NOW, NOW);
    assert.deepEqual(keysOf(notes), ['b']);
  });

  it('name who is refused: others may have used it up', async () => {
    const notes = new QuotaNotes();
    const { state } = storeLike();
    await state.charge([charge('a')], NOW);
    const [refused] =
      (await noteQuotas(state, notes, 'asked')
        .ofRequest?.()
        .charge([charge('a')], NOW)) ?? [];
    assert.equal(refused?.allowed, false);
    assert.deepEqual(keysOf(notes), ['a']);
  });

  it('ask counters at hand as they are: nothing is waited for', () => {
    assert.equal(noteQuotas(createLocalCounters(), new QuotaNotes(), 'charged').ofRequest, undefined);
  });
});
