import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FLIP_EXAMPLES, type FlipKind, type JudgedOutcome, MAX_FLIP_KINDS } from '../../contract/index.ts';
import { Budget } from './budget.ts';
import { whyGuessed } from './guess.ts';
import { ShadowPlaces } from './places.ts';
import { Sample } from './sample.ts';
import { ShadowTally } from './tally.ts';

describe('a budget', () => {
  it('lasts for its share of the time, whatever each use takes', () => {
    for (const costMs of [0.02, 1, 7, 300]) {
      const budget = new Budget(0.05, 0);
      let spentMs = 0;
      for (let nowMs = 0; nowMs < 100_000; nowMs += 0.5) {
        if (!budget.isLeft(nowMs)) continue;
        budget.spend(costMs);
        spentMs += costMs;
      }
      assert.ok(spentMs <= 100_000 * 0.05 + 50 + costMs, `${spentMs} ms in uses of ${costMs}`);
      if (costMs >= 1) assert.ok(spentMs >= 100_000 * 0.05 * 0.95, `${spentMs} ms in uses of ${costMs}`);
    }
  });

  it('keeps no more than that of a second', () => {
    const budget = new Budget(0.1, 0);
    assert.ok(budget.isLeft(3_600_000));
    budget.spend(100);
    assert.ok(!budget.isLeft(3_600_000));
  });

  it('of nothing is nothing', () => assert.ok(!new Budget(0, 0).isLeft(1e9)));

  it('is not refilled by a clock that goes back', () => {
    const budget = new Budget(1, 1000);
    budget.spend(2000);
    assert.ok(!budget.isLeft(0));
    assert.ok(!budget.isLeft(500));
  });
});

describe('a sample', () => {
  const chosen = (share: number, seed: number, of: number) => {
    const sample = new Sample(share, seed);
    return Array.from({ length: of }, () => sample.next());
  };
  const count = (list: readonly boolean[]) => list.filter(Boolean).length;

  for (const share of [0, 0.01, 0.5, 1]) {
    it(`of ${share} is that share, for any seed`, () => {
      for (const seed of [0, 1, 2, 0xffffffff]) {
        const most = 4 * Math.sqrt(20_000 * share * (1 - share));
        assert.ok(Math.abs(count(chosen(share, seed, 20_000)) - share * 20_000) <= most, `seed ${seed}`);
      }
    });
  }

  it('is the same for the same seed', () => assert.deepEqual(chosen(0.5, 7, 100), chosen(0.5, 7, 100)));

  it('falls in with no rhythm', () => {
    const list = chosen(0.5, 7, 20_000);
    for (const period of [2, 3, 4, 8]) {
      const inRhythm = count(list.filter((_, i) => i % period === 0)) / (20_000 / period);
      assert.ok(Math.abs(inRhythm - 0.5) < 0.03, `${inRhythm} of every ${period}th`);
    }
  });
});

describe('places of requests that have ended', () => {
  const rule = { limit: 1, queue: 0, waitMs: 0, priority: 'normal' } as const;
  const make = () => {
    const places = new ShadowPlaces();
    const notes: string[] = [];
    const time = { nowMs: 0, now: () => time.nowMs, monotonic: () => 0 };
    const visit = (fromMs: number, untilMs: number, limit = 1, queue = 0, key = 'k') => {
      const note = (reason: string): void => void notes.push(reason);
      return places.acquire('s', key, { ...rule, limit, queue }, { fromMs, untilMs, time, asked: [], note });
    };
    return { visit, notes, time };
  };

  it('are met by who came meanwhile, in the order in which they ended', () => {
    const { visit } = make();
    assert.ok(visit(0, 100).granted);
    assert.ok(!visit(50, 110).granted);
    assert.ok(visit(100, 120).granted, 'the first had gone by then');
  });

  it('are not met by who was there before', () => {
    const { visit } = make();
    assert.ok(visit(50, 60).granted);
    assert.ok(visit(0, 100).granted);
  });

  it('are of their key', () => {
    const { visit } = make();
    assert.ok(visit(0, 100, 1, 0, 'one').granted);
    assert.ok(visit(50, 110, 1, 0, 'other').granted);
  });

  it('are a guess where one would wait for them', () => {
    const { visit, notes } = make();
    visit(0, 100);
    assert.ok(!visit(50, 110, 1, 5).granted);
    assert.deepEqual(notes, ['sampled']);
  });

  it('are given back before the end by who was refused behind', () => {
    const { visit, time } = make();
    const outcome = visit(0, 100);
    time.nowMs = 10;
    assert.ok(outcome.granted);
    outcome.slot.release();
    assert.ok(visit(50, 110).granted);
  });

  it('are a guess where there are too many to remember', () => {
    const { visit, notes } = make();
    for (let i = 0; i < 1024; i++) assert.ok(visit(0, 100, 1e6).granted);
    assert.ok(!visit(0, 100, 1e6).granted);
    assert.deepEqual(notes, ['sampled']);
  });
});

describe('what was found', () => {
  const forward: JudgedOutcome = {
    kind: 'forward',
    status: 0,
    route: 'r',
    by: undefined,
    policy: undefined,
    code: undefined,
    rule: undefined,
  };
  const kind = (rule: string): FlipKind => ({
    flip: 'allowed-to-denied',
    before: forward,
    after: { ...forward, kind: 'reject', status: 403, code: 'forbidden', policy: 'acl', rule },
    consumer: undefined,
  });

  it('keeps a few examples of each kind, and counts all', () => {
    const tally = new ShadowTally();
    for (let i = 0; i < 20; i++) tally.flip(kind('1'), `request-${i}`);
    const [{ count, examples }] = tally.figures.flips;
    assert.equal(count, 20);
    assert.deepEqual(examples, ['request-0', 'request-1', 'request-2', 'request-3', 'request-4']);
    assert.equal(examples.length, FLIP_EXAMPLES);
  });

  it('does not grow with the kinds there are', () => {
    const tally = new ShadowTally();
    for (let i = 0; i < 5000; i++) tally.flip(kind(`${i}`), 'r');
    const { flips, otherFlips, judged } = tally.figures;
    assert.deepEqual([flips.length, otherFlips, judged], [MAX_FLIP_KINDS + 1, 0, 5000]);
    assert.equal(flips.at(-1)?.count, 5000 - MAX_FLIP_KINDS);
  });
});

describe('a difference', () => {
  const refused = (code: string, by = 'route:r/rate-limit'): JudgedOutcome => ({
    kind: 'reject',
    status: 429,
    route: 'r',
    by,
    policy: 'rate-limit',
    code,
    rule: undefined,
  });
  const cases: { name: string; live: JudgedOutcome; asked: readonly string[]; why: string | undefined }[] = [
    {
      name: 'is a guess where a limit refused that has counted less since',
      live: refused('rate-limited'),
      asked: ['route:r/rate-limit per-minute'],
      why: 'sampled',
    },
    {
      name: 'is none where that limit is gone',
      live: refused('rate-limited'),
      asked: ['route:r/quota month'],
      why: undefined,
    },
    {
      name: 'is none where another counter was asked on the way to it',
      live: refused('forbidden', 'route:r/acl'),
      asked: ['route:r/rate-limit'],
      why: undefined,
    },
    {
      name: 'is a guess for who guessed too often',
      live: refused('too-many-failures'),
      asked: [],
      why: 'sampled',
    },
    { name: 'is a guess for who was banned', live: refused('caller-banned'), asked: [], why: 'sampled' },
    {
      name: 'is a guess for what is good once',
      live: refused('invalid-credential', 'route:r/jwt'),
      asked: ['dpop seen'],
      why: 'sampled',
    },
    {
      name: 'is none for another wrong credential',
      live: refused('invalid-credential', 'route:r/api-key'),
      asked: ['route:r/rate-limit'],
      why: undefined,
    },
    {
      name: 'is a guess where nobody could tell',
      live: refused('identity-unavailable'),
      asked: [],
      why: 'network',
    },
    {
      name: 'is none where nothing was refused',
      live: { ...refused('x'), kind: 'forward', code: undefined, by: undefined },
      asked: ['route:r/rate-limit'],
      why: undefined,
    },
  ];
  for (const { name, live, asked, why } of cases) it(name, () => assert.equal(whyGuessed(live, asked), why));
});
