import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { remote } from '../../../test/fixtures/nobody-there.ts';
import type { Charge, CounterState, QuotaRule } from '../../contract/index.ts';
import { createLocalCounters } from './local-counters.ts';
import { noteQuotas, QuotaNotes } from './quota-notes.ts';

const NOW = 1_800_000_000_000;
const about = { attachment: 'route:orders/quota', name: 'daily', by: 'consumer', shadow: false };
const RULE: QuotaRule = { limit: 2, startMs: NOW - 1000, endMs: NOW + 1000, carryOver: 0, about };
const charge = (key: string, rule = RULE, scope = 's'): Charge => ({
  kind: 'quota',
  scope,
  key,
  rule,
  cost: 1,
});
const namesOf = (notes: QuotaNotes): string[] => notes.take().map(({ scope, key }) => `${scope} ${key}`);

for (const [where, stateOf] of [
  ['at hand', (state: CounterState) => state],
  ['that answer later', remote],
] as const) {
  describe(`notes of quotas, with counters ${where}`, () => {
    it('name each quota that was charged, once, and anew after they were taken', async () => {
      const notes = new QuotaNotes();
      const state = noteQuotas(stateOf(createLocalCounters()), notes);
      await state.charge([charge('a'), charge('a', RULE, 't')], NOW);
      await state.charge([charge('a')], NOW);
      await state.charge([charge('b')], NOW);
      assert.deepEqual(namesOf(notes).sort(), ['s a', 's b', 't a']);
      assert.deepEqual(namesOf(notes), []);
      await state.charge([charge('b')], NOW);
      assert.deepEqual(namesOf(notes), ['s b']);
    });

    it('leave out those of which none was charged', async () => {
      const notes = new QuotaNotes();
      const state = noteQuotas(stateOf(createLocalCounters()), notes);
      const full = charge('b', { ...RULE, limit: 1 });
      await state.charge([full], NOW);
      notes.take();
      await state.charge([charge('a'), full], NOW);
      assert.deepEqual(namesOf(notes), []);
    });

    it('name those that were given back', async () => {
      const notes = new QuotaNotes();
      const state = noteQuotas(stateOf(createLocalCounters()), notes);
      await state.charge([charge('a')], NOW);
      notes.take();
      await state.refund([charge('a')], NOW, NOW);
      assert.deepEqual(namesOf(notes), ['s a']);
    });

    it('leave alone what else is counted, and quotas that say nothing of themselves', async () => {
      const notes = new QuotaNotes();
      const state = noteQuotas(stateOf(createLocalCounters()), notes);
      const { limit, startMs, endMs } = RULE;
      const rule = { limit, windowMs: 1000, burst: limit };
      assert.equal((await state.gcra('s', 'k', rule, 1, NOW)).remaining, 1);
      assert.equal((await state.slidingWindow('s', 'k', rule, 1, NOW)).remaining, 1);
      assert.deepEqual(await state.tally('s', 'k', { windowMs: 1000 }, 3, NOW), { sum: 3 });
      const slot = await state.acquire('s', 'k', { limit, queue: 0, waitMs: 0, priority: 'normal' }, NOW, {});
      assert.equal(slot.granted, true);
      const fixed: Charge = {
        kind: 'fixed-window',
        scope: 'f',
        key: 'k',
        rule: { limit, startMs, endMs },
        cost: 1,
      };
      const { about: _about, ...silent } = RULE;
      assert.equal((await state.charge([fixed, charge('k', silent)], NOW)).length, 2);
      assert.deepEqual(namesOf(notes), []);
    });
  });
}

describe('notes of quotas', () => {
  it('hold the latest rule, and no more names than they may', () => {
    const notes = new QuotaNotes(2);
    const next = { ...RULE, limit: 9 };
    for (const one of [charge('a'), charge('b'), charge('c'), charge('a', next)]) notes.note(one);
    assert.deepEqual(
      notes.take().map(({ key, rule }) => [key, rule.limit]),
      [
        ['a', 9],
        ['b', 2],
      ],
    );
    notes.note(charge('c'));
    assert.deepEqual(namesOf(notes), ['s c']);
  });
});
