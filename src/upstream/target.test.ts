import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { createServer } from 'node:tls';
import { AUTHORITY, EXPIRED, LOCAL, OTHER } from '../../test/fixtures/certificates.ts';
import { settled } from '../../test/fixtures/data-plane.ts';
import { RawUpstream } from '../../test/fixtures/raw-upstream.ts';
import type { TargetPlan, UpstreamPlan } from '../contract/index.ts';
import { UpstreamError } from '../errors.ts';
import { Deadlines } from '../lib/deadlines.ts';
import { createSharedIo } from '../lib/shared-io.ts';
import type { UpstreamConnection } from './connection.ts';
import { UpstreamRegistry } from './registry.ts';
import { Target } from './target.ts';
import { Upstream } from './upstream.ts';

let nowMs = 1;
const clock = { now: () => nowMs, monotonic: () => nowMs };
const deadlines = new Deadlines(clock.monotonic);
const lines: (readonly [event: string, fields: Readonly<Record<string, unknown>>])[] = [];
const tell = (event: string, fields: Readonly<Record<string, unknown>> = {}): void =>
  void lines.push([event, fields]);
const log = { info: tell, warn: tell, error: tell };
const deps = { clock, deadlines, io: createSharedIo(), log };
const servers: RawUpstream[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});
deadlines.stop();

const target = (port: number, weight = 1): TargetPlan => ({
  scheme: 'http',
  host: '127.0.0.1',
  port,
  basePath: '',
  weight,
});

const plan = (targets: readonly TargetPlan[], more: Partial<UpstreamPlan> = {}): UpstreamPlan => ({
  name: 'u',
  targets,
  balance: 'round-robin',
  ca: undefined,
  serverName: undefined,
  hostHeader: 'preserve',
  connectTimeoutMs: 1000,
  responseTimeoutMs: 1000,
  idleTimeoutMs: 1000,
  maxIdleConnections: 2,
  connectAttempts: 1,
  passive: { failures: 2, restMs: 1000 },
  ...more,
});

const upstreamOf = (weights: readonly number[], more: Partial<UpstreamPlan> = {}): Upstream =>
  new Upstream(
    plan(
      weights.map((weight, i) => target(i, weight)),
      more,
    ),
    deps,
  );

const picks = (upstream: Upstream, n: number): string =>
  Array.from({ length: n }, () => upstream.pick([])?.plan.port).join('');

describe('who gets the next request', () => {
  const cases: [name: string, weights: number[], turns: string][] = [
    ['one', [1], '000'],
    ['in turn', [1, 1, 1], '012012'],
    ['a heavy one spread, not bunched', [5, 1, 1], '00102000010200'],
    ['two to one', [2, 1], '010010'],
  ];
  for (const [name, weights, turns] of cases) {
    it(name, () => assert.equal(picks(upstreamOf(weights), turns.length), turns));
  }
  it('fewest requests under way per weight; ties in turn', () => {
    const upstream = upstreamOf([1, 1, 2], { balance: 'least-requests' });
    const [a, b, c] = upstream.targets;
    [a.active, b.active, c.active] = [2, 1, 3];
    assert.equal(upstream.pick([]), b);
    [a.active, b.active, c.active] = [2, 2, 3];
    assert.equal(upstream.pick([]), c);
    [a.active, b.active, c.active] = [0, 0, 0];
    assert.equal(picks(upstream, 8).split('').sort().join(''), '00112222');
  });
  it('not those already tried, until all were', () => {
    const upstream = upstreamOf([1, 1]);
    const [a, b] = upstream.targets;
    assert.equal(upstream.pick([a]), b);
    assert.equal(upstream.pick([a, b]), undefined);
    const alone = upstreamOf([1]);
    assert.equal(alone.pick(alone.targets), undefined);
  });
});

describe('passive failure detection', () => {
  it('rests after failures in a row, for a while', () => {
    const upstream = upstreamOf([1, 1]);
    const [a, b] = upstream.targets;
    a.failed();
    a.succeeded();
    a.failed();
    assert.ok(a.available);
    a.failed();
    assert.ok(!a.available);
    assert.equal(picks(upstream, 3), '111');
    nowMs += 1000;
    assert.ok(a.available);
    // Still on trial: one failure more and it rests again.
    a.failed();
    assert.ok(!a.available);
    a.succeeded();
    assert.ok(a.available && b.available);
  });
  it('when all rest, one is tried all the same', () => {
    const upstream = upstreamOf([1, 1]);
    for (const one of upstream.targets) for (let i = 0; i < 2; i++) one.failed();
    assert.notEqual(upstream.pick([]), undefined);
  });
});

describe('the log of outages', () => {
  const RESET = new UpstreamError('upstream-reset', 'public', new Error('the cause'));
  const fail = (n: number) => (one: Target) => {
    for (let i = 0; i < n; i++) one.failed(RESET);
  };
  const succeed = (one: Target): void => one.succeeded();
  const wait = (ms: number) => () => {
    nowMs += ms;
  };
  const cases: [name: string, steps: ((one: Target) => void)[], events: string[]][] = [
    ['of one that is well: nothing', [succeed, succeed], []],
    ['a failure', [fail(1)], ['failing']],
    ['many failures, once', [fail(50), wait(2000), fail(50)], ['failing', 'resting']],
    ['a recovery, once', [fail(1), succeed, succeed], ['failing', 'recovered']],
    ['a recovery from rest', [fail(2), succeed], ['failing', 'resting', 'recovered']],
    [
      'coming and going, once in a while',
      Array(40)
        .fill([fail(2), succeed])
        .flat(),
      ['failing', 'resting', 'recovered'],
    ],
    [
      'an outage that lasts, though it began soon after another',
      [fail(1), succeed, fail(1), wait(10_000), fail(1)],
      ['failing', 'recovered', 'failing', 'resting'],
    ],
    ['without an error, the rest only', [(one) => one.failed(), (one) => one.failed()], ['resting']],
  ];
  for (const [name, steps, events] of cases) {
    it(name, () => {
      lines.length = 0;
      const [one] = upstreamOf([1]).targets;
      for (const step of steps) step(one);
      assert.deepEqual(
        lines.map(([event]) => event),
        events.map((event) => `upstream-${event}`),
      );
    });
  }
  it('says what failed and why', () => {
    lines.length = 0;
    const [one] = upstreamOf([1]).targets;
    fail(2)(one);
    const names = { upstream: 'u', target: '127.0.0.1:0' };
    assert.deepEqual(lines, [
      ['upstream-failing', { ...names, code: 'upstream-reset', cause: 'the cause' }],
      ['upstream-resting', { ...names, restMs: 1000 }],
    ]);
  });
  const causes: [name: string, cause: unknown, told: string][] = [
    ['none', undefined, 'public'],
    [
      'one for each address',
      new AggregateError([new Error('::1 no'), new Error('127.0.0.1 no')]),
      '::1 no; 127.0.0.1 no',
    ],
    ['no error', 'a word', 'a word'],
  ];
  for (const [name, cause, told] of causes) {
    it(`cause: ${name}`, () => {
      lines.length = 0;
      upstreamOf([1]).targets[0].failed(new UpstreamError('upstream-unreachable', 'public', cause));
      assert.equal(lines[0][1].cause, told);
    });
  }
});

async function server(): Promise<RawUpstream> {
  const started = await RawUpstream.start();
  servers.push(started);
  return started;
}

const targetAt = (port: number, more: Partial<UpstreamPlan> = {}): Target =>
  new Target(target(port), plan([target(port)], more), deps);

function connected(to: Target): Promise<UpstreamConnection> {
  return new Promise((resolve, reject) => {
    to.connect({
      onConnected: resolve,
      onConnectFailure: (error) => reject(new Error(error.code, { cause: error.cause })),
      onDefect: reject,
    });
  });
}

describe('connections', () => {
  it('the one used last comes first; no more are kept than allowed', async () => {
    const to = targetAt((await server()).port);
    const [a, b, c] = [await connected(to), await connected(to), await connected(to)];
    for (const connection of [a, b, c]) to.release(connection);
    assert.ok(c.socket.destroyed);
    assert.deepEqual([to.takeIdle() === b, to.takeIdle() === a, to.takeIdle()], [true, true, undefined]);
    to.release(a);
    to.close();
    to.release(b);
    assert.ok(a.socket.destroyed && b.socket.destroyed);
  });
  it('not one that is old: its deadline closes it', async () => {
    const upstream = await server();
    const to = targetAt(upstream.port);
    to.release(await connected(to));
    nowMs += 55_100;
    deadlines.sweep();
    assert.ok(await upstream.until((u) => u.connections[0].closed));
    assert.equal(to.takeIdle(), undefined);
  });
  for (const [name, act] of [
    ['closed', (u: RawUpstream) => void u.connections[0].socket.end()],
    ['reset', (u: RawUpstream) => void u.connections[0].socket.resetAndDestroy()],
    ['speaking unasked', (u: RawUpstream) => void u.connections[0].socket.write('HTTP/1.1 200 OK\r\n\r\n')],
  ] as const) {
    it(`not one the server has ${name}`, async () => {
      const upstream = await server();
      const to = targetAt(upstream.port);
      const connection = await connected(to);
      to.release(connection);
      await upstream.until((u) => u.connections.length === 1);
      act(upstream);
      await settled(() => connection.socket.destroyed, 'the connection to go');
      assert.equal(to.takeIdle(), undefined);
    });
  }
  it('refused', async () => {
    const gone = await RawUpstream.start();
    const { port } = gone;
    await gone.stop();
    await assert.rejects(connected(targetAt(port)), { message: 'upstream-unreachable' });
  });
  it('not taken in time: told once, and the attempt is over', async () => {
    const told: string[] = [];
    const to = targetAt((await server()).port);
    to.connect({
      onConnected: () => told.push('connected'),
      onConnectFailure: (error) => told.push(error.code),
      onDefect: () => told.push('defect'),
    });
    nowMs += 1001;
    deadlines.sweep();
    deadlines.sweep();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(told, ['upstream-timeout']);
  });
  it('given up: nothing is told', async () => {
    const told: string[] = [];
    const upstream = await server();
    const attempt = targetAt(upstream.port).connect({
      onConnected: () => told.push('connected'),
      onConnectFailure: () => told.push('failed'),
      onDefect: () => told.push('defect'),
    });
    attempt.cancel();
    nowMs += 1001;
    deadlines.sweep();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(told, []);
  });
});

describe('the certificate of an https target is checked', () => {
  type Case = [name: string, serves: typeof LOCAL, settings: Partial<UpstreamPlan>, refusal?: string];
  const ALTNAME = 'ERR_TLS_CERT_ALTNAME_INVALID';
  const cases: Case[] = [
    ['for the host', LOCAL, {}],
    ['for the host it is not of', OTHER, {}, ALTNAME],
    ['for the name', OTHER, { serverName: 'other.test' }],
    ['for the name under a wildcard', OTHER, { serverName: 'a.wild.test' }],
    ['for a name it is not of, though it is of the host', LOCAL, { serverName: 'other.test' }, ALTNAME],
    ['for the name that is an address', LOCAL, { serverName: '127.0.0.1' }],
    ['for an address it is not of, though it is of the host', LOCAL, { serverName: '10.0.0.1' }, ALTNAME],
    ['for an address of version 6', LOCAL, { serverName: '::1' }, ALTNAME],
    ['for its time', EXPIRED, {}, 'CERT_HAS_EXPIRED'],
    ['for its authority', LOCAL, { ca: undefined }, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ];
  for (const [name, serves, settings, refusal] of cases) {
    it(name, async () => {
      const tls = createServer(serves, (socket) => void socket.on('error', () => {}));
      await once(tls.listen(0, '127.0.0.1'), 'listening');
      const { port } = tls.address() as AddressInfo;
      const one: TargetPlan = { ...target(port), scheme: 'https' };
      const outcome = await connected(
        new Target(one, plan([one], { ca: AUTHORITY, ...settings }), deps),
      ).then(
        (connection) => void connection.socket.destroy(),
        (error) => error.cause.code,
      );
      tls.close();
      assert.equal(outcome, refusal);
    });
  }
});

describe('the registry', () => {
  it('an upstream that stays the same is one object, until the last user lets it go', async () => {
    const { port } = await server();
    const registry = new UpstreamRegistry(deps);
    const first = registry.acquire(plan([target(port)]));
    assert.equal(registry.acquire(plan([target(port)])), first);
    assert.notEqual(registry.acquire(plan([target(port, 2)])), first);
    const connection = await connected(first.targets[0]);
    first.targets[0].release(connection);
    registry.release(first);
    assert.ok(!connection.socket.destroyed);
    registry.release(first);
    assert.ok(connection.socket.destroyed);
    assert.notEqual(registry.acquire(plan([target(port)])), first);
  });
});
