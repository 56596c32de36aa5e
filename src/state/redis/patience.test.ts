/** No request waits longer for the store than the set time, however many limiters are on its way. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { eventually } from '../../../test/fixtures/process.ts';
import { CutWay, RedisServer } from '../../../test/fixtures/redis-server.ts';
import { type StoreWorld, storeWorld } from '../../../test/fixtures/store-world.ts';
import type { CounterState, GcraRule, SlotRule } from '../../contract/index.ts';
import { Patience } from './patience.ts';

const TIMEOUT_MS = 200;
/** Just in time, for one question. */
const SLOW_MS = 150;
const RULE: GcraRule = { limit: 1000, windowMs: 3_600_000, burst: 1000 };
const SLOT: SlotRule = { limit: 1, queue: 0, waitMs: 0, priority: 'normal' };
const LIMITERS = ['a', 'b', 'c', 'd', 'e'];

/** What a limiter was told, and whether the request waited for it. */
type Told = 'store' | 'store, waited' | 'lost' | 'lost, waited';

describe('the patience of one request', () => {
  let server: RedisServer;
  let way: CutWay;
  let world: StoreWorld;
  beforeEach(async () => {
    server = await RedisServer.start();
    way = await CutWay.to(server.port);
    world = await storeWorld(`redis://127.0.0.1:${way.port}`, { timeoutMs: TIMEOUT_MS, prefix: 'p' });
    // The store knows the script from now on.
    await world.state.gcra('s', 'k', RULE, 1, Date.now());
  });
  afterEach(async () => {
    server.resume();
    way.delayMs = 0;
    await world.close();
    await way.close();
    await server.stop();
  });

  const request = (): CounterState => world.state.ofRequest?.() ?? assert.fail('answers are waited for');
  const ask = async (state: CounterState, scope: string, rule = RULE): Promise<Told> => {
    const asked = state.gcra(scope, 'k', rule, 1, Date.now());
    const { lost } = await asked;
    return `${lost ? 'lost' : 'store'}${asked instanceof Promise ? ', waited' : ''}`;
  };
  const askAll = async (state: CounterState): Promise<Told[]> => {
    const told: Told[] = [];
    for (const scope of LIMITERS) told.push(await ask(state, scope));
    return told;
  };

  it('is spent by one question that is not answered; until something is heard nobody else waits', async () => {
    server.pause();
    assert.deepEqual(await askAll(request()), ['lost, waited', 'lost', 'lost', 'lost', 'lost']);
    assert.deepEqual(await askAll(request()), Array(5).fill('lost'));
    assert.deepEqual(await askAll(world.state), Array(5).fill('lost'));
    const others = [
      request().tally('s', 'k', { windowMs: 60_000 }, 1, Date.now()),
      request().acquire('s', 'k', SLOT, Date.now(), {}),
      request().charge([{ kind: 'gcra', scope: 's', key: 'k', cost: 1, rule: RULE }], Date.now()),
      request().gcra('s', 'k', { ...RULE, counting: 'leased' }, 1, Date.now()),
    ];
    for (const other of others) assert.ok(!(other instanceof Promise));
    server.resume();
    await eventually(async () => (await ask(request(), 'a')) === 'store, waited');
  });

  it('is spent by several that are answered just in time, and the next request has its own', async () => {
    way.delayMs = SLOW_MS;
    for (let n = 0; n < 2; n++) {
      assert.deepEqual(await askAll(request()), ['store, waited', 'lost, waited', 'lost', 'lost', 'lost']);
    }
    assert.deepEqual(world.events, [], 'that a request has no patience left says nothing of the store');
  });

  it('is spent once by questions that are asked at the same time', async () => {
    way.delayMs = SLOW_MS;
    const state = request();
    const told = await Promise.all(LIMITERS.map((scope) => ask(state, scope)));
    assert.deepEqual(told, Array(5).fill('store, waited'));
  });

  it('is hardly spent by a store that is quick, nor by a thread that is busy', async () => {
    const state = request();
    for (let n = 0; n < 3; n++) {
      const asked = ask(state, 'a');
      const untilMs = performance.now() + 2 * TIMEOUT_MS;
      while (performance.now() < untilMs);
      assert.equal(await asked, 'store, waited');
    }
  });

  it('does not keep shares taken ahead from being used', async () => {
    const leased: GcraRule = { limit: 100_000, windowMs: 60_000, burst: 100_000, counting: 'leased' };
    // A share is as large as what the requests before it used.
    await eventually(async () => (await ask(request(), 'leased', leased)) === 'store');
    way.delayMs = SLOW_MS;
    const state = request();
    await askAll(state);
    assert.equal(await ask(state, 'exact'), 'lost');
    await eventually(async () => (await ask(request(), 'leased', leased)) === 'store');
  });

  it('is not needed to give a place back', async () => {
    const taken = await request().acquire('s', 'k', SLOT, Date.now(), {});
    assert.ok(taken.granted);
    server.pause();
    assert.equal(await ask(request(), 'a'), 'lost, waited');
    taken.slot.release();
    server.resume();
    await eventually(async () => (await ask(request(), 'a')) === 'store, waited');
    assert.equal((await request().acquire('s', 'k', SLOT, Date.now(), {})).granted, true);
  });

  it('that is spent makes nothing be given back here that the store has counted', async () => {
    const gcra = (state: CounterState, cost: number) => state.gcra('s', 'refunded', RULE, cost, Date.now());
    way.delayMs = SLOW_MS;
    const state = request();
    await askAll(state);
    assert.equal((await gcra(state, 10)).remaining, 990, 'counted here');
    way.delayMs = 0;
    const chargedMs = Date.now();
    assert.equal((await gcra(request(), 10)).lost, undefined);
    await server.kill();
    await eventually(async () => world.events.includes('state-lost'));
    const charge = { kind: 'gcra', scope: 's', key: 'refunded', cost: 10, rule: RULE } as const;
    await world.state.refund([charge], chargedMs, Date.now());
    assert.equal((await gcra(request(), 0)).remaining, 990);
  });
});

describe('patience', () => {
  it('passes while a question is under way, and once for several', () => {
    const patience = new Patience(20);
    assert.equal(patience.left(100), 20);
    patience.begin(100);
    patience.begin(105);
    assert.equal(patience.left(106), 14);
    patience.end(107);
    patience.end(110);
    assert.equal(patience.left(500), 10);
    patience.begin(500);
    patience.end(515);
    assert.equal(patience.left(600), -5);
  });
});
