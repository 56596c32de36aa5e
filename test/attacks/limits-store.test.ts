/** What lies in the store is not always ours: an answer that is none counts as lost, and never lets anybody on. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Charge, LimitOutcome } from '../../src/contract/index.ts';
import { RedisServer } from '../fixtures/redis-server.ts';
import { type StoreWorld, storeWorld } from '../fixtures/store-world.ts';

const HOUR_MS = 3_600_000;
/** Of ours; that another window is open when it is asked changes nothing. */
const START_MS = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
const RULE = { limit: 2, windowMs: HOUR_MS, burst: 2, onLoss: 'closed' } as const;
const WINDOW = { limit: 2, startMs: START_MS, endMs: START_MS + HOUR_MS, onLoss: 'closed' } as const;
const SLOT = { limit: 2, queue: 0, waitMs: 0, priority: 'normal', onLoss: 'closed' } as const;

const CHARGES: readonly Charge[] = [
  { kind: 'gcra', scope: 'gcra', key: 'k', cost: 1, rule: RULE },
  { kind: 'sliding-window', scope: 'sliding', key: 'k', cost: 1, rule: RULE },
  { kind: 'fixed-window', scope: 'fixed', key: 'k', cost: 1, rule: WINDOW },
  { kind: 'quota', scope: 'quota', key: 'k', cost: 1, rule: { ...WINDOW, carryOver: 1 } },
];

/** Texts that are no counter, and some that Lua takes for numbers: "nan" is less and more than nothing. */
const FOREIGN = [
  '',
  'x',
  '-1',
  '1 2 3',
  'a b c d',
  'nan nan nan nan',
  'inf inf inf inf',
  '1 nan 0 99999999999999',
  '1 -inf 0 99999999999999',
  '99999999999999 inf 0 99999999999999',
  '0x1 0x0 0x0 0x0',
];

describe('a store', () => {
  let server: RedisServer;
  let world: StoreWorld;
  beforeEach(async () => {
    server = await RedisServer.start();
    world = await storeWorld(server.url, { timeoutMs: 1000, prefix: 'p' });
  });
  afterEach(async () => {
    await world.close();
    await server.stop();
  });

  const charge = async (one: Charge): Promise<LimitOutcome> =>
    (await world.state.charge([one], Date.now()))[0];
  const isLost = ({ allowed, lost, retryAfterMs }: LimitOutcome): void =>
    assert.deepEqual([allowed, lost, retryAfterMs], [false, true, 1000]);
  /** Makes all counters something else. */
  const spoil = (words: string): Promise<unknown> =>
    server.ask(
      'EVAL',
      `for _, key in ipairs(redis.call('KEYS', 'p:{*')) do
         if not string.find(key, '{fleet}', 1, true) then redis.call('DEL', key) ${words} end
       end return 1`,
      '0',
    );

  for (const one of CHARGES) {
    it(`in which something else lies lets nobody on: ${one.kind}`, async () => {
      for (const [i, value] of FOREIGN.entries()) {
        const mine = { ...one, key: `k${i}` };
        assert.equal((await charge(mine)).allowed, true);
        await spoil(`redis.call('SET', key, '${value}')`);
        isLost(await charge(mine));
        await spoil('');
        assert.equal((await charge(mine)).lost, undefined, `after ${value}`);
      }
      assert.equal((await charge(one)).allowed, true);
      await spoil(`redis.call('ZADD', key, 1, 'x')`);
      isLost(await charge(one));
    });
  }

  it('in which something else lies gives nobody a place', async () => {
    const acquire = () => world.state.acquire('s', 'k', SLOT, Date.now(), {});
    assert.equal((await acquire()).granted, true);
    await spoil(`redis.call('SET', key, '1')`);
    const refused = await acquire();
    assert.deepEqual([refused.granted, !refused.granted && refused.why], [false, 'lost']);
  });

  it('that forgot its scripts counts on', async () => {
    const [gcra] = CHARGES;
    assert.equal((await charge(gcra)).remaining, 1);
    await server.ask('SCRIPT', 'FLUSH');
    const outcome = await charge(gcra);
    assert.deepEqual([outcome.allowed, outcome.remaining, outcome.lost], [true, 0, undefined]);
    assert.equal((await charge(gcra)).allowed, false);
  });

  it('that is full lets nobody on', async () => {
    await server.ask('CONFIG', 'SET', 'maxmemory', '1');
    for (const one of CHARGES) isLost(await charge(one));
  });

  it('that became a replica lets nobody on', async () => {
    await server.ask('REPLICAOF', '127.0.0.1', '1');
    for (const one of CHARGES) isLost(await charge(one));
  });
});
