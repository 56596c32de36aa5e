/** What counters must do with fixed windows and quotas. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Charge, LimitOutcome } from '../../../src/contract/index.ts';
import { type Create, chargeOne, SCOPE } from './counters.ts';

/** The windows of the cases: so long, and numbered from one that begins here. */
const WINDOW_MS = 1000;
const FIRST_MS = 1_800_000_000_000;

/** In window `window`, `into` it, `times` requests of `cost`, the last with this outcome, all alike in `allowed`. */
interface Step {
  readonly window: number;
  readonly into?: number;
  readonly limit?: number;
  readonly cost?: number;
  readonly times?: number;
  readonly is: Partial<LimitOutcome>;
}

interface Case {
  readonly name: string;
  /** `undefined`: a fixed window, and the same as a quota. */
  readonly carryOver?: number;
  readonly steps: readonly Step[];
}

const NEVER = Number.POSITIVE_INFINITY;

const cases: readonly Case[] = [
  {
    name: 'admits the limit, refuses until the end and then begins anew',
    steps: [
      { window: 0, into: 100, times: 10, is: { allowed: true, remaining: 0, retryAfterMs: 0, resetMs: 900 } },
      { window: 0, into: 400, is: { allowed: false, remaining: 0, retryAfterMs: 600, resetMs: 600 } },
      { window: 0, into: 999, is: { allowed: false, retryAfterMs: 1 } },
      { window: 1, is: { allowed: true, remaining: 9, resetMs: 1000 } },
      { window: 5, times: 10, is: { allowed: true, remaining: 0 } },
      { window: 5, is: { allowed: false, retryAfterMs: 1000 } },
    ],
  },
  {
    name: 'charges a cost as a whole or not at all',
    steps: [
      { window: 0, cost: 8, is: { allowed: true, remaining: 2 } },
      { window: 0, cost: 3, is: { allowed: false, remaining: 2, retryAfterMs: 1000 } },
      { window: 0, cost: 2, is: { allowed: true, remaining: 0 } },
      { window: 0, cost: 11, is: { allowed: false, retryAfterMs: NEVER } },
    ],
  },
  {
    name: 'answers a question without counting it',
    steps: [
      { window: 0, cost: 0, times: 20, is: { allowed: true, remaining: 10, resetMs: 0 } },
      { window: 0, cost: 10, is: { allowed: true, remaining: 0 } },
      { window: 0, cost: 0, is: { allowed: true, remaining: 0, resetMs: 1000 } },
    ],
  },
  {
    name: 'goes on counting when the limit changes',
    steps: [
      { window: 0, cost: 10, is: { allowed: true, remaining: 0 } },
      { window: 0, limit: 12, cost: 1, is: { allowed: true, remaining: 1 } },
      { window: 0, limit: 5, is: { allowed: false, remaining: 0, retryAfterMs: 1000 } },
      { window: 0, limit: 12, cost: 1, is: { allowed: true, remaining: 0 } },
      { window: 0, limit: 12, is: { allowed: false } },
    ],
  },
  {
    name: 'goes on in the later window when the clock is set back by no more than one: nobody has it twice',
    steps: [
      { window: 1, into: 100, cost: 7, is: { allowed: true } },
      { window: 0, into: 900, cost: 3, is: { allowed: true, remaining: 0, resetMs: 1100 } },
      { window: 0, into: 950, is: { allowed: false, retryAfterMs: 1050 } },
      { window: 1, into: 999, is: { allowed: false, retryAfterMs: 1 } },
      { window: 2, is: { allowed: true, remaining: 9 } },
    ],
  },
  {
    name: 'believes a clock that is set back by more than a window',
    steps: [
      { window: 9, cost: 10, is: { allowed: true } },
      { window: 0, is: { allowed: true, remaining: 9, resetMs: 1000 } },
      { window: 0, cost: 9, is: { allowed: true } },
      { window: 0, is: { allowed: false, retryAfterMs: 1000 } },
      { window: 1, is: { allowed: true } },
    ],
  },
  {
    name: 'carries over what was left, and no more than it may',
    carryOver: 5,
    steps: [
      { window: 0, cost: 8, is: { allowed: true, remaining: 2 } },
      { window: 1, cost: 12, is: { allowed: true, remaining: 0 } },
      { window: 1, is: { allowed: false, retryAfterMs: 1000 } },
      { window: 2, cost: 1, is: { allowed: true, remaining: 9 } },
      { window: 3, cost: 1, is: { allowed: true, remaining: 14 } },
      { window: 4, cost: 15, is: { allowed: true, remaining: 0 } },
    ],
  },
  {
    name: 'carries nothing into the first window',
    carryOver: 5,
    steps: [
      { window: 0, cost: 0, is: { allowed: true, remaining: 10 } },
      { window: 0, cost: 10, is: { allowed: true, remaining: 0 } },
      { window: 0, is: { allowed: false } },
    ],
  },
  {
    name: 'carries what was carried and not used',
    carryOver: 30,
    steps: [
      { window: 0, cost: 1, is: { allowed: true, remaining: 9 } },
      { window: 1, cost: 1, is: { allowed: true, remaining: 18 } },
      { window: 2, cost: 1, is: { allowed: true, remaining: 27 } },
      { window: 3, cost: 1, is: { allowed: true, remaining: 36 } },
      { window: 4, cost: 1, is: { allowed: true, remaining: 39 } },
    ],
  },
  {
    name: 'takes a window in which nobody came as left whole',
    carryOver: 15,
    steps: [
      { window: 0, cost: 10, is: { allowed: true, remaining: 0 } },
      { window: 2, cost: 1, is: { allowed: true, remaining: 19 } },
      { window: 4, cost: 1, is: { allowed: true, remaining: 24 } },
    ],
  },
  {
    name: 'carries the same whether somebody asked meanwhile or nobody',
    carryOver: 15,
    steps: [
      { window: 0, cost: 10, is: { allowed: true, remaining: 0 } },
      { window: 1, cost: 0, is: { allowed: true, remaining: 10 } },
      { window: 1, cost: 99, is: { allowed: false } },
      { window: 2, cost: 1, is: { allowed: true, remaining: 19 } },
      { window: 3, cost: 0, is: { allowed: true, remaining: 25 } },
      { window: 4, cost: 1, is: { allowed: true, remaining: 24 } },
    ],
  },
  {
    name: 'remembers for eight windows that something is to be carried',
    carryOver: 5,
    steps: [
      { window: 0, cost: 10, is: { allowed: true, remaining: 0 } },
      { window: 8, cost: 1, is: { allowed: true, remaining: 14 } },
    ],
  },
  {
    name: 'takes who stayed away longer for new',
    carryOver: 5,
    steps: [
      { window: 0, cost: 1, is: { allowed: true, remaining: 9 } },
      { window: 9, cost: 1, is: { allowed: true, remaining: 9 } },
      { window: 10, cost: 1, is: { allowed: true, remaining: 14 } },
    ],
  },
  {
    name: 'carries nothing out of a window whose limit was lowered under what was used',
    carryOver: 5,
    steps: [
      { window: 0, cost: 10, is: { allowed: true } },
      { window: 0, limit: 4, cost: 0, is: { allowed: true, remaining: 0 } },
      { window: 1, limit: 4, cost: 4, is: { allowed: true, remaining: 0 } },
    ],
  },
  {
    name: 'tells one who asks for more than the limit to wait for a window that has so much carried into it',
    carryOver: 5,
    steps: [
      { window: 0, cost: 7, is: { allowed: true, remaining: 3 } },
      { window: 0, cost: 13, is: { allowed: false, retryAfterMs: 1000 } },
      { window: 0, cost: 14, is: { allowed: false, retryAfterMs: NEVER } },
      { window: 1, cost: 13, is: { allowed: true, remaining: 0 } },
      { window: 1, cost: 16, is: { allowed: false, retryAfterMs: NEVER } },
    ],
  },
  {
    name: 'tells one who never came that nothing is carried into the next window either',
    carryOver: 5,
    steps: [
      { window: 0, cost: 11, is: { allowed: false, retryAfterMs: NEVER } },
      { window: 1, cost: 11, is: { allowed: false, retryAfterMs: NEVER } },
      { window: 1, cost: 1, is: { allowed: true, remaining: 9 } },
      { window: 1, cost: 11, is: { allowed: false, retryAfterMs: 1000 } },
      { window: 2, cost: 11, is: { allowed: true, remaining: 4 } },
    ],
  },
  {
    name: 'carries nothing over where the clock was set back',
    carryOver: 5,
    steps: [
      { window: 9, cost: 1, is: { allowed: true } },
      { window: 0, cost: 10, is: { allowed: true, remaining: 0 } },
      { window: 1, cost: 10, is: { allowed: true, remaining: 0 } },
      { window: 1, is: { allowed: false } },
    ],
  },
];

function chargeAt({ window, limit = 10, cost = 1 }: Step, carryOver: number | undefined): Charge {
  const startMs = FIRST_MS + window * WINDOW_MS;
  const rule = { limit, startMs, endMs: startMs + WINDOW_MS };
  const common = { scope: SCOPE, key: 'k', cost };
  return carryOver === undefined
    ? { ...common, kind: 'fixed-window', rule }
    : { ...common, kind: 'quota', rule: { ...rule, carryOver } };
}

const DAY_MS = 86_400_000;

export function windowsContract(create: Create): void {
  describe('fixed windows and quotas', () => {
    for (const { name, carryOver, steps } of cases) {
      const kinds = carryOver === undefined ? [undefined, 0] : [carryOver];
      for (const carries of kinds) {
        it(`${carries === undefined ? 'a fixed window' : 'a quota'} ${name}`, async () => {
          await run(create, steps, carries);
        });
      }
    }

    it('months of unequal length follow each other', async () => {
      const state = await create();
      const rules = [1, 2, 3].map((month) => ({
        limit: 10,
        startMs: Date.UTC(2027, month - 1),
        endMs: Date.UTC(2027, month),
        carryOver: 3,
      }));
      const left: number[] = [];
      for (const rule of rules) {
        const nowMs = rule.endMs - DAY_MS;
        left.push((await chargeOne(state, { kind: 'quota', ...K, cost: 10, rule }, nowMs)).remaining);
      }
      assert.deepEqual(left, [0, 0, 0]);
      const april = { limit: 10, startMs: Date.UTC(2027, 3), endMs: Date.UTC(2027, 4), carryOver: 3 };
      const june = { ...april, startMs: Date.UTC(2027, 5), endMs: Date.UTC(2027, 6) };
      assert.equal((await ask(state, april, april.startMs)).remaining, 10);
      assert.equal((await ask(state, june, june.endMs - 1)).remaining, 13);
      const later = await create();
      await chargeOne(later, { kind: 'quota', ...K, cost: 10, rule: rules[1] }, rules[1].startMs);
      assert.equal((await ask(later, april, april.startMs)).remaining, 13, 'over a whole March');
    });

    it('days of a time zone that puts its clocks forward and back follow each other', async () => {
      const state = await create();
      const left: number[] = [];
      let startMs = FIRST_MS;
      for (const hours of [24, 23, 24, 25, 24]) {
        const rule = { limit: 10, startMs, endMs: startMs + hours * 3_600_000, carryOver: 3 };
        left.push((await chargeOne(state, { kind: 'quota', ...K, cost: 9, rule }, startMs)).remaining);
        startMs = rule.endMs;
      }
      assert.deepEqual(left, [1, 2, 3, 4, 4]);
    });

    it('a quota and a fixed window of one scope and key are two counters', async () => {
      const state = await create();
      const step: Step = { window: 0, cost: 10, is: {} };
      for (const carries of [undefined, 0]) {
        const outcome = await chargeOne(state, chargeAt(step, carries), FIRST_MS);
        assert.equal(outcome.allowed, true);
      }
    });
  });
}

const K = { scope: SCOPE, key: 'k' };

const ask = async (
  state: Parameters<typeof chargeOne>[0],
  rule: { limit: number; startMs: number; endMs: number; carryOver: number },
  nowMs: number,
): Promise<LimitOutcome> => chargeOne(state, { kind: 'quota', ...K, cost: 0, rule }, nowMs);

async function run(create: Create, steps: readonly Step[], carryOver: number | undefined): Promise<void> {
  const state = await create();
  for (const [i, step] of steps.entries()) {
    const { window, into = 0, times = 1, is } = step;
    const nowMs = FIRST_MS + window * WINDOW_MS + into;
    let outcome: LimitOutcome | undefined;
    for (let n = 0; n < times; n++) {
      outcome = await chargeOne(state, chargeAt(step, carryOver), nowMs);
      assert.equal(outcome.allowed, is.allowed, `step ${i}, request ${n}`);
    }
    assert.deepEqual({ ...outcome, ...is }, outcome, `step ${i}`);
  }
}
