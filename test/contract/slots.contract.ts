/** What every CounterState must do with places under way, run by the tests of each. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type {
  Awaitable,
  CounterState,
  Priority,
  Slot,
  SlotOutcome,
  SlotRule,
  Waiter,
} from '../../src/contract/index.ts';

const NOW = 1_800_000_000_000;
const SCOPE = 'route:orders/concurrency';
const RULE: SlotRule = { limit: 2, queue: 0, waitMs: 0, priority: 'normal' };
/** Waits that are to be ended by something else than their time. */
const PATIENT: SlotRule = { ...RULE, limit: 1, queue: 10, waitMs: 20_000 };

/** What differs between implementations. */
export interface SlotAbilities {
  /** False for one that never lets anybody wait, since nobody would give anything back meanwhile. */
  readonly waits: boolean;
  /** How many runs of the property; fewer where each call is a round trip. Default 200. */
  readonly runs?: number;
}

/** Registers the suite. `create` gives states that share their places, as workers do, and know no key. */
export function slotsContract(
  name: string,
  create: () => Awaitable<readonly CounterState[]>,
  { waits, runs = 200 }: SlotAbilities,
): void {
  describe(`${name} keeps the contract of places under way`, () => {
    withoutWaiting(create, runs);
    refusals(create);
    if (waits) {
      waiting(create);
      order(create);
    }
  });
}

type Create = () => Awaitable<readonly CounterState[]>;

const ask = (state: CounterState, rule: SlotRule, waiter: Waiter = {}, key = 'k', scope = SCOPE) =>
  state.acquire(scope, key, rule, NOW, waiter);

/** Takes one that must be there. */
async function take(state: CounterState, rule: SlotRule = RULE, key = 'k', scope = SCOPE): Promise<Slot> {
  return slotOf(await ask(state, rule, {}, key, scope));
}

function slotOf(outcome: SlotOutcome): Slot {
  assert.ok(outcome.granted, outcome.granted ? '' : `refused: ${outcome.why}`);
  return outcome.slot;
}

const told = (outcome: SlotOutcome): string =>
  outcome.granted ? `granted ${outcome.held}` : `${outcome.why} ${outcome.held}`;

/** How many more of a limit of 100 there are: what nobody gave back is missing. */
async function heldOf(state: CounterState, key = 'k'): Promise<number> {
  const outcome = await ask(state, { ...RULE, limit: 100 }, {}, key);
  slotOf(outcome).release();
  return outcome.held - 1;
}

function withoutWaiting(create: Create, runs: number): void {
  it('grants as many as the limit, refuses more, and grants again what was given back', async () => {
    const states = await create();
    const first = await take(states[0]);
    assert.equal(told(await ask(states.at(-1)!, RULE)), 'granted 2');
    for (const state of states) assert.equal(told(await ask(state, RULE)), 'full 2');
    first.release();
    await given(states[0], 1);
    assert.equal(told(await ask(states.at(-1)!, RULE)), 'granted 2');
    for (const state of states) assert.equal(told(await ask(state, RULE)), 'full 2');
  });

  it('takes what is given back twice only once', async () => {
    const [state] = await create();
    const first = await take(state);
    await take(state);
    first.release();
    first.release();
    await given(state, 1);
    await take(state);
    assert.equal(told(await ask(state, RULE)), 'full 2');
  });

  it('gives back by a copy of what it said', async () => {
    const [state] = await create();
    const outcome = await ask(state, { ...RULE, limit: 1 });
    assert.ok(outcome.granted);
    const copy = { ...outcome };
    copy.slot.release();
    await given(state, 0);
  });

  it('never counts one key for another, nor for a rate', async () => {
    const [state] = await create();
    const one = { ...RULE, limit: 1 };
    const names = [
      [SCOPE, 'k'],
      [SCOPE, 'k2'],
      [SCOPE, ''],
      [`${SCOPE}2`, 'k'],
      [SCOPE.slice(0, -1), 'yk'],
      [SCOPE, 'k'.repeat(10_000)],
    ];
    for (const [scope, key] of names) {
      assert.equal(told(await ask(state, one, {}, key, scope)), 'granted 1', `${scope} ${key}`.slice(0, 60));
      assert.equal(
        told(await ask(state, one, {}, key, scope)),
        'full 1',
        `${scope} ${key}, again`.slice(0, 60),
      );
    }
    const rate = { limit: 1, windowMs: 1000, burst: 1 };
    assert.equal((await state.gcra(SCOPE, 'k', rate, 1, NOW)).allowed, true);
    assert.equal(told(await ask(state, one)), 'full 1');
  });

  it('goes on counting a key whose limit changes', async () => {
    const [state] = await create();
    const slots = [await take(state), await take(state)];
    assert.equal(told(await ask(state, { ...RULE, limit: 3 })), 'granted 3');
    assert.equal(told(await ask(state, { ...RULE, limit: 1 })), 'full 3');
    for (const slot of slots) slot.release();
    await given(state, 1);
    assert.equal(told(await ask(state, { ...RULE, limit: 1 })), 'full 1');
    assert.equal(told(await ask(state, RULE)), 'granted 2');
  });

  const steps = fc.array(
    fc.record({ key: fc.nat({ max: 2 }), limit: fc.integer({ min: 1, max: 4 }), releases: fc.boolean() }),
    { maxLength: 60 },
  );
  it('holds what a count by hand says, whatever is taken and given back', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (played) => {
        const states = await create();
        const slots: Slot[][] = [[], [], []];
        for (const [i, { key, limit, releases }] of played.entries()) {
          const held = slots[key];
          if (releases) {
            held.shift()?.release();
            await given(states[0], held.length, `key ${key}`);
            continue;
          }
          const outcome = await ask(states[i % states.length], { ...RULE, limit }, {}, `key ${key}`);
          assert.equal(outcome.granted, held.length < limit);
          if (outcome.granted) held.push(outcome.slot);
          assert.equal(outcome.held, held.length);
        }
        for (const slot of slots.flat()) slot.release();
      }),
      { numRuns: runs },
    );
  });
}

/** Resolves when so many are held: what is given back elsewhere takes a moment. */
async function given(state: CounterState, held: number, key = 'k'): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if ((await heldOf(state, key)) === held) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(await heldOf(state, key), held);
}

function refusals(create: Create): void {
  const bad: readonly (readonly [string, Partial<SlotRule>])[] = [
    ['a limit of 0', { limit: 0 }],
    ['a negative limit', { limit: -1 }],
    ['a fractional limit', { limit: 1.5 }],
    ['a limit that is no number', { limit: Number.NaN }],
    ['an endless limit', { limit: Number.POSITIVE_INFINITY }],
    ['a negative queue', { queue: -1 }],
    ['a fractional queue', { queue: 0.5 }],
    ['a negative wait', { waitMs: -1 }],
    ['a wait that is no number', { waitMs: Number.NaN }],
    ['an endless wait', { waitMs: Number.POSITIVE_INFINITY }],
  ];
  for (const [what, part] of bad) {
    it(`throws at ${what}, and still counts after it`, async () => {
      const [state] = await create();
      await assert.rejects(async () => ask(state, { ...RULE, ...part }), { name: 'InternalError' });
      assert.equal(told(await ask(state, RULE)), 'granted 1');
    });
  }
}

function waiting(create: Create): void {
  it('lets one wait, and gives it what another gives back', async () => {
    const states = await create();
    const held = await take(states[0], PATIENT);
    const waits = ask(states.at(-1)!, PATIENT);
    assert.ok(waits instanceof Promise);
    held.release();
    const outcome = await waits;
    assert.equal(told(outcome), 'granted 1');
    assert.equal(told(await ask(states[0], { ...PATIENT, queue: 0 })), 'full 1');
    slotOf(outcome).release();
    await given(states[0], 0);
  });

  it('refuses one that has waited in vain, and it waits no more', async () => {
    const [state] = await create();
    const held = await take(state, PATIENT);
    assert.equal(told(await ask(state, { ...PATIENT, waitMs: 20 })), 'timeout 1');
    const next = ask(state, { ...PATIENT, queue: 1 });
    held.release();
    slotOf(await next).release();
    await given(state, 0);
  });

  it('refuses more than may wait, on all together', async () => {
    const states = await create();
    const held = await take(states[0], PATIENT);
    const rule = { ...PATIENT, queue: 2 };
    const waiters: Waiter[] = [{}, {}];
    const waits = waiters.map((waiter, i) => ask(states[i % states.length], rule, waiter));
    await queued(waiters);
    for (const state of states) assert.equal(told(await ask(state, rule)), 'queue-full 1');
    held.release();
    const first = await Promise.race(waits);
    assert.equal(told(first), 'granted 1');
    slotOf(first).release();
    for (const outcome of await Promise.all(waits)) slotOf(outcome).release();
    await given(states[0], 0);
  });

  it('lets go at once of one that is no longer wanted', async () => {
    const [state] = await create();
    const held = await take(state, PATIENT);
    const waiter: Waiter = {};
    const waits = ask(state, { ...PATIENT, queue: 1 }, waiter);
    await queued([waiter]);
    waiter.cancel?.();
    assert.equal(told(await waits), 'cancelled 1');
    assert.equal(waiter.cancel, undefined);
    const next: Waiter = {};
    const later = ask(state, { ...PATIENT, queue: 1 }, next);
    await queued([next]);
    held.release();
    slotOf(await later).release();
    assert.equal(next.cancel, undefined);
    await given(state, 0);
  });

  it('loses no place when one is given and no longer wanted at the same time', async () => {
    const [state, other = state] = await create();
    for (let round = 0; round < 20; round++) {
      const held = await take(state, PATIENT);
      const waiter: Waiter = {};
      const waits = ask(other, PATIENT, waiter);
      await queued([waiter]);
      held.release();
      waiter.cancel?.();
      const outcome = await waits;
      if (outcome.granted) outcome.slot.release();
      else assert.equal(outcome.why, 'cancelled');
      await given(state, 0);
    }
  });

  it('lets those in that wait when a limit rises', async () => {
    const [state] = await create();
    const slots = [await take(state, PATIENT)];
    const waiters: Waiter[] = [{}, {}];
    const waits = waiters.map((waiter) => ask(state, PATIENT, waiter));
    await queued(waiters);
    slots.push(await take(state, { ...PATIENT, limit: 4 }));
    for (const outcome of await Promise.all(waits)) slots.push(slotOf(outcome));
    assert.equal(told(await ask(state, { ...RULE, limit: 4 })), 'full 4');
    for (const slot of slots) slot.release();
    await given(state, 0);
  });
}

/** Resolves when all wait. */
async function queued(waiters: readonly Waiter[]): Promise<void> {
  for (let tries = 0; tries < 10_000; tries++) {
    if (waiters.every(({ cancel }) => cancel !== undefined)) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail('they do not wait');
}

function order(create: Create): void {
  /** What each that waits gets, in the order in which it gets it. */
  const play = async (state: CounterState, names: readonly (readonly [string, Priority])[], queue = 10) => {
    const held = await take(state, PATIENT);
    const served: string[] = [];
    const waits: Promise<void>[] = [];
    for (const [name, priority] of names) {
      const waiter: Waiter = {};
      const waits1 = ask(state, { ...PATIENT, queue, priority }, waiter);
      waits.push(
        (async () => {
          const outcome = await waits1;
          served.push(outcome.granted ? name : `${name} ${outcome.why}`);
          if (outcome.granted) outcome.slot.release();
        })(),
      );
      if (waits1 instanceof Promise) await Promise.race([queued([waiter]), waits1]);
    }
    held.release();
    await Promise.all(waits);
    await given(state, 0);
    return served;
  };

  it('lets the most important in first, and of equals who came first', async () => {
    const [state] = await create();
    const served = await play(state, [
      ['low 1', 'low'],
      ['normal 1', 'normal'],
      ['critical 1', 'critical'],
      ['high 1', 'high'],
      ['normal 2', 'normal'],
      ['critical 2', 'critical'],
      ['low 2', 'low'],
    ]);
    assert.deepEqual(served, [
      'critical 1',
      'critical 2',
      'high 1',
      'normal 1',
      'normal 2',
      'low 1',
      'low 2',
    ]);
  });

  it('has one that matters more displace the last of those that matter least, where the queue is full', async () => {
    const [state] = await create();
    const names = [
      ['low 1', 'low'],
      ['low 2', 'low'],
      ['normal 1', 'normal'],
      ['normal 2', 'normal'],
      ['low 3', 'low'],
      ['critical 1', 'critical'],
    ] as const;
    const served = await play(state, names, 2);
    assert.deepEqual(served.toSorted(), [
      'critical 1',
      'low 1 queue-full',
      'low 2 queue-full',
      'low 3 queue-full',
      'normal 1',
      'normal 2 queue-full',
    ]);
    assert.ok(served.indexOf('critical 1') < served.indexOf('normal 1'));
  });
}
