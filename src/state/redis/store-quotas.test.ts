/** What nodes have used together, as those who look after it read and change it. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { eventually } from '../../../test/fixtures/process.ts';
import { RedisServer } from '../../../test/fixtures/redis-server.ts';
import { type StoreWorld, storeWorld } from '../../../test/fixtures/store-world.ts';
import type { Charge, QuotaRule } from '../../contract/index.ts';
import { createSystemRandom, systemClock } from '../../lib/system.ts';
import { createMeter } from '../../observability/index.ts';
import { MAX_EXTRA } from '../counters/quota-relief.ts';
import { openQuotas } from './open-quotas.ts';
import type { SharedQuotas } from './store-quotas.ts';
import { parseStoreAddress } from './store-settings.ts';

const HOUR_MS = 3_600_000;
const SCOPE = 'route:orders/quota own 1h by consumer';
const ANN = { scope: SCOPE, key: 'ann', lengthMs: HOUR_MS };
const random = createSystemRandom();

let server: RedisServer;
const opened: { close(): unknown }[] = [];
before(async () => {
  server = await RedisServer.start();
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
after(() => server.stop());

/** A node's counters, and those who look after them, in a part of the store of their own. */
async function make(): Promise<{ world: StoreWorld; quotas: SharedQuotas; prefix: string }> {
  const prefix = random.hex(8);
  const { url } = server;
  const world = await storeWorld(url, { prefix });
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const quotas = await openQuotas(
    { ...parseStoreAddress(url), prefix, ca: undefined, timeoutMs: 20, node: 'n' },
    { clock: systemClock, random, meter: createMeter(), log },
  );
  opened.push(world, quotas);
  return { world, quotas, prefix };
}

/** A window that goes on for half of its length. */
const windowOf = (lengthMs: number) => {
  const startMs = Date.now() - lengthMs / 2;
  return { startMs, endMs: startMs + lengthMs };
};
const WINDOW = windowOf(HOUR_MS);
const use = (rule: Partial<QuotaRule> = {}, cost = 1): Charge => ({
  kind: 'quota',
  scope: SCOPE,
  key: 'ann',
  cost,
  rule: { limit: 10, carryOver: 0, ...WINDOW, ...rule },
});
const charge = async ({ state }: StoreWorld, one: Charge) => (await state.charge([one], Date.now()))[0];
const usedOf = async (quotas: SharedQuotas, quota = ANN): Promise<number | undefined> => {
  const found = await quotas.read([quota]);
  return found === 'lost' ? assert.fail('lost') : found[0]?.used;
};

describe('quotas in a store', () => {
  it('end with their window, by the clock of the store', async () => {
    const { world, quotas } = await make();
    const lengthMs = 1500;
    const short = { ...ANN, lengthMs };
    await charge(world, use(windowOf(lengthMs)));
    assert.equal(await usedOf(quotas, short), 1);
    await eventually(async () => (await usedOf(quotas, short)) === undefined);
    assert.equal(await quotas.change(short, { kind: 'reset' }), 'unknown');
  });

  it('are neither made nor kept any longer by who looks, or changes what is not there', async () => {
    const { quotas, prefix } = await make();
    assert.deepEqual(await quotas.read([ANN, { ...ANN, key: 'ben' }]), [undefined, undefined]);
    assert.equal(await quotas.change(ANN, { kind: 'grant', amount: 5 }), 'unknown');
    assert.deepEqual(await server.ask('KEYS', `${prefix}:{*}:*`).then(onlyCounters), []);
  });

  it('last as long as before when they are changed', async () => {
    const { world, quotas, prefix } = await make();
    await charge(world, use({ carryOver: 5 }));
    const [key] = onlyCounters(await server.ask('KEYS', `${prefix}:*`));
    const lasts = async () => Number(await server.ask('PTTL', key));
    const before = await lasts();
    await quotas.change(ANN, { kind: 'reset' });
    await quotas.change(ANN, { kind: 'grant', amount: 1 });
    assert.ok(Math.abs((await lasts()) - before) < 60_000);
  });

  it('are added to no further than can be counted', async () => {
    const { world, quotas } = await make();
    await charge(world, use());
    assert.deepEqual(await changed(quotas, { kind: 'grant', amount: MAX_EXTRA }), [1, MAX_EXTRA]);
    assert.equal(await quotas.change(ANN, { kind: 'grant', amount: 1 }), 'too-much');
    assert.equal((await charge(world, use({}, 10))).remaining, 10 + MAX_EXTRA - 11);
  });

  it('hold nothing below nothing, where what was under way is given back after a reset', async () => {
    const { world, quotas } = await make();
    const underWay = use({}, 6);
    const atMs = Date.now();
    await charge(world, underWay);
    await quotas.change(ANN, { kind: 'reset' });
    await charge(world, { ...underWay, cost: 2 });
    await world.state.refund([underWay], atMs, Date.now());
    assert.equal(await usedOf(quotas), 0);
    assert.equal((await charge(world, { ...underWay, cost: 11 })).allowed, false);
  });

  it('that are leased count what is taken ahead as used, until it is given back', async () => {
    const { world, quotas } = await make();
    const leased = use({ limit: 1000, counting: 'leased' });
    for (let i = 0; i < 40; i++) assert.equal((await charge(world, leased)).allowed, true);
    assert.ok(Number(await usedOf(quotas)) >= 40);
    await eventually(async () => (await usedOf(quotas)) === 40);
    await quotas.change(ANN, { kind: 'reset' });
    assert.equal(await usedOf(quotas), 0);
  });

  it('are lost where the store holds what nobody wrote, and change it no further', async () => {
    const { world, quotas, prefix } = await make();
    await charge(world, use());
    const [key] = onlyCounters(await server.ask('KEYS', `${prefix}:*`));
    await server.ask('SET', key, 'inf inf inf inf');
    assert.equal(await quotas.read([ANN]), 'lost');
    assert.equal(await quotas.change(ANN, { kind: 'reset' }), 'lost');
    assert.equal(await server.ask('GET', key), 'inf inf inf inf');
  });

  it('are read many at a time, each in its place', async () => {
    const { world, quotas } = await make();
    const keys = Array.from({ length: 501 }, (_, i) => `caller ${i}`);
    for (const [i, key] of keys.entries()) {
      if (i % 2 === 1) await charge(world, { ...use({ limit: 1000 }, i), key });
    }
    const found = await quotas.read(keys.map((key) => ({ ...ANN, key })));
    assert.ok(found !== 'lost');
    assert.deepEqual(
      found.map((usage) => usage?.used),
      keys.map((_, i) => (i % 2 === 1 ? i : undefined)),
    );
  });

  it('may have been changed where the answer came too late', async () => {
    const { world, quotas } = await make();
    await charge(world, use());
    assert.equal(await usedOf(quotas), 1);
    server.pause();
    try {
      assert.equal(await quotas.change(ANN, { kind: 'grant', amount: 5 }), 'lost');
    } finally {
      server.resume();
    }
    await eventually(async () => {
      const found = await quotas.read([ANN]);
      return found !== 'lost' && found[0]?.carried === 5;
    });
  });

  it('count those who look after them as no node that limits are shared among', async () => {
    const { world, prefix } = await make();
    await charge(world, use());
    assert.equal(await server.ask('ZCARD', `${prefix}:{fleet}:nodes`), 1);
    assert.equal(await server.ask('ZCARD', `${prefix}:{fleet}:workers`), 1);
  });
});

const onlyCounters = (keys: unknown): string[] =>
  (Array.isArray(keys) ? keys : []).map(String).filter((key) => !key.includes('{fleet}'));

async function changed(quotas: SharedQuotas, relief: Parameters<SharedQuotas['change']>[1]) {
  const usage = await quotas.change(ANN, relief);
  return typeof usage === 'string' ? usage : [usage.used, usage.carried];
}
