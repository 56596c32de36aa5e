import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { eventually, ROOT } from '../../../test/fixtures/process.ts';
import { RedisServer } from '../../../test/fixtures/redis-server.ts';
import { type StoreWorld, type StoreWorldOptions, storeWorld } from '../../../test/fixtures/store-world.ts';
import type { Charge, LimitOutcome, SlotRule } from '../../contract/index.ts';

const HOUR_MS = 3_600_000;
const RATE = { limit: 3, windowMs: HOUR_MS, burst: 3 };

describe('counters in a store', () => {
  let server: RedisServer;
  const worlds: StoreWorld[] = [];
  before(async () => {
    server = await RedisServer.start();
  });
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.close();
  });
  after(() => server.stop());
  const open = async (options?: StoreWorldOptions): Promise<StoreWorld> => {
    const world = await storeWorld(server.url, options);
    worlds.push(world);
    return world;
  };
  const keysOf = async (prefix: string): Promise<string[]> => {
    const keys = await server.ask('KEYS', `${prefix}:*`);
    return Array.isArray(keys) ? keys.map(String).filter((key) => !key.includes('{fleet}')) : [];
  };

  it('keep no word of what callers send, and expire when they mean nothing any more', async () => {
    const { state } = await open({ prefix: 'names' });
    const secret = 'Bearer eyJhbGciOi';
    await state.gcra(
      'route:orders/rate-limit',
      secret,
      { limit: 1, windowMs: 1000, burst: 1 },
      1,
      Date.now(),
    );
    await state.tally('route:orders/rate-limit', secret, { windowMs: 1000 }, 1, Date.now());
    await state.acquire(
      'route:orders/rate-limit',
      secret,
      { limit: 1, queue: 0, waitMs: 0, priority: 'normal' },
      Date.now(),
      {},
    );
    const keys = await keysOf('names');
    assert.equal(keys.length, 3);
    for (const key of keys) {
      assert.match(key, /^names:\{[A-Za-z0-9_-]{22}\}:[A-Za-z0-9_-]{22}$/);
      const leftMs = Number(await server.ask('PTTL', key));
      assert.ok(leftMs > 0 && leftMs <= 4000, `${leftMs}`);
    }
  });

  it('count by the store’s clock: a node whose clock is wrong gets nothing out of it', async () => {
    const { state } = await open();
    const now = Date.now();
    const day = (nowMs: number): Charge => {
      const startMs = nowMs - (nowMs % HOUR_MS);
      const rule = { limit: 3, startMs, endMs: startMs + HOUR_MS };
      return { kind: 'fixed-window', scope: 'window', key: 'k', cost: 1, rule };
    };
    const kinds: readonly ((nowMs: number) => Promise<LimitOutcome>)[] = [
      async (nowMs) => state.gcra('rate', 'k', RATE, 1, nowMs),
      async (nowMs) => state.slidingWindow('sliding', 'k', { limit: 3, windowMs: HOUR_MS }, 1, nowMs),
      async (nowMs) => (await state.charge([day(nowMs)], nowMs))[0],
    ];
    for (const use of kinds) {
      for (const step of [0, 24 * HOUR_MS, -24 * HOUR_MS])
        assert.equal((await use(now + step)).allowed, true);
      for (const step of [0, 48 * HOUR_MS, -48 * HOUR_MS, 1]) {
        const refused = await use(now + step);
        assert.equal(refused.allowed, false);
        // Honest by a clock that goes right.
        assert.ok(refused.retryAfterMs > 0 && refused.retryAfterMs <= 2 * HOUR_MS);
      }
    }
  });

  it('of two fleets in one store are apart by their prefix, and of one fleet are one', async () => {
    const [one, other, same] = [
      await open({ prefix: 'a' }),
      await open({ prefix: 'b' }),
      await open({ prefix: 'a' }),
    ];
    const rule = { ...RATE, burst: 1 };
    assert.equal((await one.state.gcra('s', 'k', rule, 1, 0)).allowed, true);
    assert.equal((await same.state.gcra('s', 'k', rule, 1, 0)).allowed, false);
    assert.equal((await other.state.gcra('s', 'k', rule, 1, 0)).allowed, true);
  });

  it('count on after the store has forgotten its scripts', async () => {
    const { state, events } = await open();
    await state.gcra('s', 'k', RATE, 1, 0);
    await server.ask('SCRIPT', 'FLUSH');
    assert.equal((await state.gcra('s', 'k', RATE, 1, 0)).remaining, 1);
    assert.deepEqual(events, []);
  });

  it('need no more of an access list than what docs/state.md names', async () => {
    const page = readFileSync(path.join(ROOT, 'docs/state.md'), 'utf8');
    const [, rules] = /^ACL SETUSER gateway on >PASSWORD (.+)$/m.exec(page) ?? [];
    const words = rules.replace('~sp:*', '~acl:*').split(' ');
    await server.ask('ACL', 'SETUSER', 'gateway', 'on', '>pw', ...words);
    const { url } = server;
    const world = await storeWorld(url.replace('//', '//gateway@'), { prefix: 'acl', password: 'pw' });
    worlds.push(world);
    const { state } = world;
    const charge: Charge = { kind: 'gcra', scope: 's', key: 'k', cost: 1, rule: RATE };
    const leased: Charge = { ...charge, rule: { ...RATE, counting: 'leased' } };
    for (const one of [charge, leased]) assert.equal((await state.charge([one], 0))[0].lost, undefined);
    await state.refund([charge], 0, 0);
    assert.deepEqual(await state.tally('s', 'k', { windowMs: 1000 }, 1, 0), { sum: 1 });
    const slot: SlotRule = { limit: 1, queue: 0, waitMs: 0, priority: 'normal' };
    const outcome = await state.acquire('s', 'k', slot, 0, {});
    assert.ok(outcome.granted && outcome.lost === undefined);
    outcome.slot.release();
    assert.equal(world.metric('sallyport_state_errors_total'), 0);
  });

  it('let everybody who waits for a place have one, on whichever node it waits', async () => {
    const [one, other] = [await open({ prefix: 'wait' }), await open({ prefix: 'wait' })];
    const rule = { limit: 1, queue: 40, waitMs: 20_000, priority: 'normal' } as const;
    let [underWay, most] = [0, 0];
    const request = async ({ state }: StoreWorld): Promise<void> => {
      const outcome = await state.acquire('s', 'k', rule, 0, {});
      assert.ok(outcome.granted);
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay--;
      outcome.slot.release();
    };
    await Promise.all(Array.from({ length: 10 }, () => [request(one), request(other)]).flat());
    assert.equal(most, 1);
  });

  it('from shares answer at once, for a limit that is not used up', async () => {
    const { state } = await open();
    const rule = { limit: 100_000, windowMs: 10_000, burst: 100_000, counting: 'leased' } as const;
    let atOnce = 0;
    for (let n = 0; n < 5000; n++) {
      const outcome = state.gcra('s', 'k', rule, 1, 0);
      if (!(outcome instanceof Promise)) atOnce++;
      assert.equal((await outcome).allowed, true);
    }
    assert.ok(atOnce > 4900, `${atOnce}`);
  });

  it('from shares give back what they took ahead and nobody used', async () => {
    const [busy, exact] = [await open({ prefix: 'back' }), await open({ prefix: 'back' })];
    const rule = { limit: 1000, windowMs: 24 * HOUR_MS, burst: 1000 };
    for (let n = 0; n < 100; n++) await busy.state.gcra('s', 'k', { ...rule, counting: 'leased' }, 1, 0);
    const left = async () => (await exact.state.gcra('s', 'k', rule, 0, 0)).remaining;
    // Rather too little comes back than too much: what time may have given back is not given twice.
    await eventually(async () => (await left()) >= 899, 5000);
    assert.ok((await left()) <= 901);
    for (let n = 0; n < 100; n++) await busy.state.gcra('s', 'k', { ...rule, counting: 'leased' }, 1, 0);
    await busy.close();
    await eventually(async () => (await left()) >= 798, 5000);
  });

  it('from shares charge several all or none', async () => {
    const { state } = await open({ prefix: 'several' });
    const leased = (scope: string, limit: number): Charge => ({
      kind: 'gcra',
      scope,
      key: 'k',
      cost: 1,
      rule: { limit, windowMs: HOUR_MS, burst: limit, counting: 'leased' },
    });
    const charges = [leased('wide', 100), leased('narrow', 2)];
    for (const allowed of [true, true, false, false]) {
      const outcomes = await state.charge(charges, 0);
      assert.equal(
        outcomes.every((one) => one.allowed),
        allowed,
      );
    }
    const wide = { limit: 100, windowMs: HOUR_MS, burst: 100 };
    await eventually(async () => (await state.gcra('wide', 'k', wide, 0, 0)).remaining === 98, 5000);
  });
});
