import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { FakeWorld, type Script } from '../../../test/fixtures/resource-world.ts';
import { NetworkError } from '../../errors.ts';
import { OwnToken, type OwnTokenRules } from './own-token.ts';

const RULES: OwnTokenRules = {
  endpoint: { url: 'https://login.test/token' },
  client: { method: 'client_secret_basic', id: 'gateway', secret: 'top-secret' },
  parameters: { scope: 'orders.read', audience: 'orders' },
  timeoutMs: 5000,
  ca: 'pem',
};

const issued = (token: string, expiresIn?: number): string =>
  JSON.stringify({ access_token: token, token_type: 'bearer', expires_in: expiresIn });

const DOWN = new NetworkError('unreachable', 'login.test cannot be reached');

async function opened(script: Script): Promise<{ world: FakeWorld; token: OwnToken }> {
  const world = new FakeWorld(script);
  const token = new OwnToken(RULES, world);
  await token.pending;
  return { world, token };
}

const events = ({ logged }: FakeWorld): string[] => logged.map(({ level, event }) => `${level} ${event}`);

describe('a token of the gateway’s own', () => {
  // Loaded with the first question: no test should be about how long that takes.
  before(() => import('oauth4webapi'));

  it('is asked for once, ahead, with what the document says', async () => {
    const { world, token } = await opened(() => issued('t1', 1000));
    assert.equal(token.current, 't1');
    assert.equal(world.requests.length, 1);
    const [{ url, method, body, ca, timeoutMs, headers = [] }] = world.requests;
    assert.deepEqual([url, method, ca, timeoutMs], ['https://login.test/token', 'POST', 'pem', 5000]);
    assert.deepEqual(Object.fromEntries(new URLSearchParams(String(body))), {
      scope: 'orders.read',
      audience: 'orders',
      grant_type: 'client_credentials',
    });
    assert.ok(headers.includes(`Basic ${btoa('gateway:top%2Dsecret')}`));
  });

  it('is renewed ahead of its end, and is no more at its end', async () => {
    let n = 0;
    const { world, token } = await opened(() => issued(`t${++n}`, 1000));
    assert.ok(
      world.scheduled.every((ms) => ms >= 750_000 && ms <= 850_000),
      String(world.scheduled),
    );
    await world.pass(749_999);
    assert.equal(world.requests.length, 1);
    await world.pass(100_001);
    assert.equal(token.current, 't2');
    assert.equal(world.requests.length, 2);
    // From here nobody answers.
    world.script = () => DOWN;
    await world.pass(990_000);
    assert.equal(token.current, 't2', 'used to its end');
    await world.pass(5000);
    assert.equal(token.current, undefined, 'a little before it, since it must arrive');
  });

  it('outlives an outage, is tried for with growing pauses, and the outage is told once', async () => {
    let isDown = false;
    const { world, token } = await opened(() => (isDown ? DOWN : issued('t', 1000)));
    isDown = true;
    await world.pass(860_000);
    const tries = world.requests.length;
    assert.ok(tries >= 3 && tries <= 12, String(tries));
    assert.equal(token.current, 't');
    assert.deepEqual(events(world), ['warn own-token-unavailable']);
    assert.deepEqual(world.logged[0].fields, { server: 'login.test', problem: DOWN.message, serving: true });
    await world.pass(600_000);
    assert.ok(world.requests.length - tries <= 25, 'never more than one in half a minute');
    assert.equal(token.current, undefined);
    assert.equal(token.problem, DOWN.message);
    isDown = false;
    await world.pass(60_000);
    assert.equal(token.current, 't');
    assert.deepEqual(events(world), ['warn own-token-unavailable', 'info own-token-renewed']);
  });

  it('comes by itself where the server was not there at the start', async () => {
    let isDown = true;
    const { world, token } = await opened(() => (isDown ? DOWN : issued('t', 1000)));
    assert.equal(token.current, undefined);
    isDown = false;
    await world.pass(1000);
    assert.equal(token.current, 't');
  });

  it('of unknown length is renewed within minutes', async () => {
    const { world, token } = await opened(() => issued('t'));
    assert.ok(world.scheduled.every((ms) => ms <= 300_000));
    world.script = () => DOWN;
    await world.pass(300_000);
    assert.equal(token.current, undefined);
  });

  it('of months is renewed every day: no timer runs for longer than 24 days, and would go off at once', async () => {
    for (const seconds of [5_184_000, Number.MAX_SAFE_INTEGER]) {
      const { world, token } = await opened(() => issued('t', seconds));
      assert.ok(
        world.scheduled.every((ms) => ms >= 60_000_000 && ms <= 86_400_000),
        String(world.scheduled),
      );
      assert.equal(token.current, 't');
    }
  });

  it('of no length does not keep the server busy', async () => {
    const { world, token } = await opened(() => issued('t', 0));
    assert.equal(token.current, undefined);
    await world.pass(10_000);
    assert.ok(world.requests.length <= 11, String(world.requests.length));
  });

  it('counts from when it was asked for', async () => {
    let answer: (text: string) => void = () => {};
    const world = new FakeWorld(() => new Promise((resolve) => (answer = resolve)));
    const token = new OwnToken(RULES, world);
    await world.pass(4000);
    answer(issued('t', 10));
    await token.pending;
    await world.pass(4999);
    assert.equal(token.current, 't');
    await world.pass(1);
    assert.equal(token.current, undefined);
  });

  it('that is refused is asked for anew, once in a while, however often that is told', async () => {
    const { world, token } = await opened(() => issued('t', 1000));
    for (let i = 0; i < 100; i++) token.refused();
    assert.equal(world.requests.length, 1, 'not right after the last');
    await world.pass(30_000);
    for (let i = 0; i < 100; i++) token.refused();
    await token.pending;
    assert.equal(world.requests.length, 2);
    assert.equal(world.scheduled.length, 1, 'and the renewal after that is one');
  });

  it('is forgotten with its last use: nothing is asked and told any more', async () => {
    let answer: (text: string) => void = () => {};
    const world = new FakeWorld(() => new Promise((resolve) => (answer = resolve)));
    const token = new OwnToken(RULES, world);
    await world.pass(0);
    token.close();
    answer(issued('t', 1));
    await token.pending;
    token.refused();
    await world.pass(1_000_000);
    assert.equal(token.current, undefined);
    assert.equal(world.requests.length, 1);
    assert.deepEqual(world.logged, []);
  });

  it('is not there offline, which is no outage', async () => {
    const { world, token } = await opened(() => new NetworkError('offline', 'nothing is asked'));
    assert.equal(token.isOffline, true);
    assert.equal(token.current, undefined);
    assert.deepEqual(world.logged, []);
  });

  it('of garbage is none, and nothing secret is told', async () => {
    const garbage = ['<html>', '{"access_token":"top-secret"}', 401, issued('top-secret\r\nX-Admin: 1', 1)];
    for (const answer of garbage) {
      const { world, token } = await opened(() => answer);
      assert.equal(token.current, undefined);
      assert.doesNotMatch(JSON.stringify([world.logged, token.problem]), /top-secret/);
      assert.deepEqual(events(world), ['warn own-token-unavailable']);
    }
  });
});
