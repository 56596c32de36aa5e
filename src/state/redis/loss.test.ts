/** CHECKLIST 47: the store is lost; each rule says what is done then, nobody waits, and it comes back by itself. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { eventually } from '../../../test/fixtures/process.ts';
import { CutWay, RedisServer } from '../../../test/fixtures/redis-server.ts';
import { type StoreWorld, storeWorld } from '../../../test/fixtures/store-world.ts';
import type { Charge, GcraRule, LimitOutcome, SlotRule, SumRule } from '../../contract/index.ts';

const TIMEOUT_MS = 100;
/** A machine with other things to do answers later, but not by the time of a reconnect. */
const SOON_MS = TIMEOUT_MS + 150;
const RULE: GcraRule = { limit: 4, windowMs: 3_600_000, burst: 4 };
const SLOT: SlotRule = { limit: 4, queue: 0, waitMs: 0, priority: 'normal' };

describe('a store that is lost', () => {
  let server: RedisServer;
  let way: CutWay;
  let world: StoreWorld;
  /** Another node of the fleet, which the first one finds there. */
  let other: StoreWorld;
  beforeEach(async () => {
    server = await RedisServer.start();
    way = await CutWay.to(server.port);
    const url = `redis://127.0.0.1:${way.port}`;
    other = await storeWorld(url, { timeoutMs: TIMEOUT_MS, prefix: 'p' });
    world = await storeWorld(url, { timeoutMs: TIMEOUT_MS, prefix: 'p' });
  });
  afterEach(async () => {
    server.resume();
    await world.close();
    await other.close();
    await way.close();
    await server.stop();
  });

  const ask = async (rule: GcraRule, key = 'k', cost = 1): Promise<LimitOutcome> => {
    const askedMs = performance.now();
    const outcome = await world.state.gcra(`s ${rule.onLoss}`, key, rule, cost, Date.now());
    const tookMs = performance.now() - askedMs;
    assert.ok(tookMs < SOON_MS, `waited ${tookMs} ms`);
    return outcome;
  };
  const isLost = () => eventually(async () => world.events.includes('state-lost'), 5000);
  const isBack = () => eventually(async () => world.events.at(-1) === 'state-recovered', 8000);
  const ways: readonly (readonly [what: string, lose: () => unknown, find: () => unknown])[] = [
    ['is killed', () => server.kill(), () => server.run()],
    ['is paused', () => server.pause(), () => server.resume()],
  ];

  for (const [what, lose, find] of ways) {
    it(`and ${what}: each rule decides, at once, and it is told of once each way`, async () => {
      await lose();
      // The first may wait for the whole of the patience, and no longer.
      assert.equal((await ask({ ...RULE, onLoss: 'open' })).lost, true);
      for (let n = 0; n < 4; n++) await ask({ ...RULE, onLoss: 'open' });
      await isLost();
      const started = performance.now();
      for (let n = 0; n < 1000; n++) {
        const open = world.state.gcra('s open', 'k', { ...RULE, onLoss: 'open' }, 1, Date.now());
        assert.ok(!(open instanceof Promise));
        assert.deepEqual([open.allowed, open.lost], [true, true]);
        const closed = world.state.gcra('s closed', 'k', { ...RULE, onLoss: 'closed' }, 1, Date.now());
        assert.ok(!(closed instanceof Promise));
        assert.deepEqual([closed.allowed, closed.lost], [false, true]);
        assert.ok(closed.retryAfterMs > 0 && Number.isFinite(closed.retryAfterMs));
      }
      assert.ok(performance.now() - started < 500, 'nobody waits for a store that is known to be lost');
      // Half of 4 for each of two nodes.
      const local = [];
      for (let n = 0; n < 4; n++) local.push((await ask({ ...RULE, onLoss: undefined }, 'local')).allowed);
      assert.deepEqual(local, [true, true, false, false]);
      assert.equal(world.metric('sallyport_state_up'), 0);
      assert.ok(world.metric('sallyport_state_errors_total') > 0);
      await find();
      await isBack();
      assert.equal(world.metric('sallyport_state_up'), 1);
      const back = await ask(RULE, 'fresh');
      assert.deepEqual([back.allowed, back.remaining, back.lost], [true, 3, undefined]);
      assert.deepEqual(world.events, ['state-lost', 'state-recovered']);
    });
  }

  it('by connections that are reset, is found again by itself', async () => {
    assert.equal((await ask(RULE)).remaining, 3);
    for (let round = 0; round < 3; round++) {
      way.cut();
      await ask({ ...RULE, onLoss: 'open' });
      await isLost();
      await isBack();
    }
    assert.equal((await ask(RULE)).remaining, 2);
    assert.ok(way.connections <= 4, 'connections are not piled up');
  });

  it('by a connection that leads nowhere from its beginning is found again by another', async () => {
    way.isDead = true;
    way.cut();
    await isLost();
    // Of both nodes.
    await eventually(async () => way.ledNowhere >= 2);
    way.isDead = false;
    await isBack();
    assert.equal((await ask(RULE)).lost, undefined);
  });

  it('never makes a limit 0, nor tells a cost that fits the limit to stay away for good', async () => {
    await server.kill();
    await isLost();
    const one = { limit: 1, windowMs: 3_600_000, burst: 1 };
    assert.equal((await ask(one, 'one')).allowed, true);
    assert.equal((await ask(one, 'one')).allowed, false);
    const dear = await ask(RULE, 'dear', 4);
    assert.equal(dear.allowed, false);
    assert.ok(Number.isFinite(dear.retryAfterMs));
    assert.equal((await ask(RULE, 'dear', 5)).retryAfterMs, Number.POSITIVE_INFINITY);
  });

  it('charges several all or none, also where they decide differently', async () => {
    await server.kill();
    await isLost();
    const charge = (scope: string, onLoss: GcraRule['onLoss']): Charge => ({
      kind: 'gcra',
      scope,
      key: 'k',
      cost: 1,
      rule: { ...RULE, onLoss },
    });
    const allowed = async (...charges: Charge[]) =>
      (await world.state.charge(charges, Date.now())).map((outcome) => outcome.allowed);
    assert.deepEqual(await allowed(charge('a', 'local'), charge('b', 'closed')), [true, false]);
    assert.deepEqual(await allowed(charge('a', 'local'), charge('b', 'open')), [true, true]);
    const { remaining } = await world.state.gcra('a', 'k', { ...RULE, onLoss: 'local' }, 0, Date.now());
    assert.ok(remaining >= 1, 'what was refused was not charged');
  });

  it('by a connection that it closes itself says so', async () => {
    await server.kill();
    await isLost();
    assert.match(world.said, /state-lost .*"cause":"[^"]/);
  });

  it('has what is summed up meanwhile summed up here, or nowhere, and says so', async () => {
    const nowMs = Date.now();
    const add = async (onLoss: SumRule['onLoss']) =>
      world.state.tally('s', `${onLoss}`, { windowMs: 3_600_000, onLoss }, 2, nowMs);
    const ways = [undefined, 'local', 'open', 'closed'] as const;
    for (const onLoss of ways) assert.deepEqual(await add(onLoss), { sum: 2 });
    await server.kill();
    for (const onLoss of ways) {
      const isHere = onLoss === undefined || onLoss === 'local';
      for (const sum of [2, 4, 6]) assert.deepEqual(await add(onLoss), { sum: isHere ? sum : 0, lost: true });
    }
    await isLost();
    assert.ok(!(world.state.tally('s', 'k', { windowMs: 1000 }, 1, nowMs) instanceof Promise));
    await server.run();
    await isBack();
    // Killed, it has forgotten all; what was added up meanwhile does not come to it.
    for (const onLoss of ways) assert.deepEqual(await add(onLoss), { sum: 2 });
  });

  it('decides about places as each rule says, and who waits is told at once', async () => {
    const acquire = async (more: Partial<SlotRule>, key: string) =>
      world.state.acquire('s', key, { ...SLOT, ...more }, Date.now(), {});
    for (let n = 0; n < 4; n++) assert.equal((await acquire({}, 'full')).granted, true);
    const patient = { queue: 5, waitMs: 20_000 };
    const waits = [
      acquire({ ...patient, onLoss: 'open' }, 'full'),
      acquire({ ...patient, onLoss: 'closed' }, 'full'),
    ];
    await server.kill();
    const [open, closed] = await Promise.all(waits);
    assert.deepEqual([open.granted, open.granted && open.lost], [true, true]);
    assert.deepEqual([closed.granted, !closed.granted && closed.why], [false, 'lost']);
    const local = await acquire({ onLoss: 'local' }, 'local');
    assert.deepEqual([local.granted, local.granted && local.lost], [true, true]);
  });

  it('is not given back what was counted here, nor here what was counted there', async () => {
    const charge: Charge = { kind: 'gcra', scope: 's', key: 'k', cost: 2, rule: RULE };
    const chargedMs = Date.now();
    await world.state.charge([charge], chargedMs);
    await server.kill();
    await isLost();
    await world.state.charge([charge], Date.now());
    await world.state.refund([charge], chargedMs - 10, Date.now());
    await server.run();
    await isBack();
    // Killed, it has forgotten all; the charge of before is not to be taken off what is charged now.
    await world.state.charge([{ ...charge, cost: 1 }], Date.now());
    await world.state.refund([charge], chargedMs, Date.now());
    assert.equal((await world.state.gcra('s', 'k', RULE, 0, Date.now())).remaining, 3);
  });

  it('that was never there delays nothing, and is found when it comes', async () => {
    await server.kill();
    const startedMs = performance.now();
    const late = await storeWorld(server.url, { timeoutMs: TIMEOUT_MS });
    assert.ok(performance.now() - startedMs < 1500);
    assert.deepEqual(late.events, ['state-lost']);
    assert.equal((await late.state.gcra('s', 'k', RULE, 1, Date.now())).lost, true);
    await server.run();
    await eventually(async () => late.events.includes('state-recovered'), 8000);
    assert.equal((await late.state.gcra('s', 'k', RULE, 1, Date.now())).lost, undefined);
    await late.close();
  });

  it('with a wrong password is lost, and says so without the password', async () => {
    await server.ask('CONFIG', 'SET', 'requirepass', 'the-right-one');
    const wrong = await storeWorld(server.url, { timeoutMs: TIMEOUT_MS, password: 'the-wrong-one' });
    await wrong.state.gcra('s', 'k', RULE, 1, Date.now());
    await eventually(async () => {
      await wrong.state.gcra('s', 'k', RULE, 1, Date.now());
      return wrong.events.includes('state-lost');
    });
    assert.doesNotMatch(wrong.said, /the-wrong-one/);
    await wrong.close();
    const right = await storeWorld(server.url, { timeoutMs: TIMEOUT_MS, password: 'the-right-one' });
    assert.equal((await right.state.gcra('s', 'k', RULE, 1, Date.now())).lost, undefined);
    await right.close();
  });
});
