import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  bundleDeps,
  documentWith,
  type Members,
  parsed,
  probePolicies,
} from '../../../test/fixtures/config.ts';
import { parseIpAddress } from '../../lib/ip-address.ts';
import { createBundle } from '../bundle.ts';

const listener = (more: Members) => ({ listeners: [{ name: 'public', address: '127.0.0.1:8080', ...more }] });
const policies = (...items: unknown[]) => documentWith({}, { policies: items });
const upstream = (more: Members) => ({ upstreams: { origin: { targets: ['http://a:1'], ...more } } });

describe('a snapshot', () => {
  const snapshotOf = async (document: unknown, probe = probePolicies()) =>
    (await createBundle(parsed(document), bundleDeps(probe))).snapshot;

  it('has the documented defaults', async () => {
    const { listeners, upstreams, overload } = await snapshotOf(documentWith());
    assert.deepEqual(overload, { lagMs: 20, memory: { share: 0.9 }, retryAfterMs: 1000 });
    const { router, trusts, pipeline, ...plain } = listeners[0];
    assert.deepEqual(plain, {
      name: 'public',
      host: '127.0.0.1',
      port: 8080,
      tls: undefined,
      proxyProtocol: false,
      revisionHeader: true,
      encodedSlashes: 'reject',
      semicolons: 'reject',
      underscoreHeaders: 'reject',
      methodOverride: 'reject',
      limits: {
        headerBytes: 32_000,
        headers: 100,
        targetBytes: 8000,
        bodyBytes: 10_000_000,
        headerTimeoutMs: 10_000,
        bodyTimeoutMs: 30_000,
        idleTimeoutMs: 60_000,
        writeTimeoutMs: 30_000,
        connections: 10_000,
        connectionsPerAddress: 1000,
        minBodyBytesPerSecond: 240,
        newConnections: undefined,
        newConnectionsPerAddress: undefined,
      },
    });
    assert.deepEqual(pipeline.request, []);
    assert.equal(router.match('any', '/x', 'GET', { get: () => undefined }).kind, 'found');
    assert.equal(trusts(ip('127.0.0.1')), false);
    assert.deepEqual(upstreams.get('origin'), {
      name: 'origin',
      targets: [{ scheme: 'http', host: '127.0.0.1', port: 9000, basePath: '', weight: 1 }],
      balance: 'round-robin',
      ca: undefined,
      serverName: undefined,
      hostHeader: 'preserve',
      connectTimeoutMs: 2000,
      responseTimeoutMs: 15_000,
      idleTimeoutMs: 60_000,
      maxIdleConnections: 64,
      connectAttempts: 2,
      passive: { failures: 3, restMs: 10_000 },
    });
  });

  it('has its own idea of too much, or none', async () => {
    const overload = { lag: '30ms', memory: '2GB', retryAfter: '5s' };
    assert.deepEqual((await snapshotOf(documentWith({ overload }))).overload, {
      lagMs: 30,
      memory: { bytes: 2e9 },
      retryAfterMs: 5000,
    });
    assert.equal((await snapshotOf(documentWith({ overload: 'off' }))).overload, undefined);
  });

  it('knows which policies prove who calls, also where that hangs on their config', async () => {
    const { attachments } = await snapshotOf(policies({ named: {} }, { named: { who: 'x' } }, { guard: {} }));
    assert.deepEqual(
      attachments.map(({ authenticates }) => authenticates),
      [false, true, false],
    );
  });

  it('reads addresses and targets of every form', async () => {
    const targets = [{ url: 'https://api.example.com/base/', weight: 3 }, 'http://[::1]:8081', 'https://b'];
    const { listeners, upstreams } = await snapshotOf(
      documentWith({
        ...listener({ address: '[::]:0', trustedProxies: ['10.0.0.0/8', '::1'] }),
        ...upstream({ targets }),
      }),
    );
    assert.deepEqual([listeners[0].host, listeners[0].port], ['::', 0]);
    assert.equal(listeners[0].trusts(ip('10.9.9.9')), true);
    assert.equal(listeners[0].trusts(ip('11.0.0.1')), false);
    assert.deepEqual(
      upstreams.get('origin')?.targets.map((t) => [t.scheme, t.host, t.port, t.basePath, t.weight]),
      [
        ['https', 'api.example.com', 443, '/base', 3],
        ['http', '::1', 8081, '', 1],
        ['https', 'b', 443, '', 1],
      ],
    );
  });

  it('names attachments by place, policy and number; one that is off keeps its number', async () => {
    const items = [
      { mark: {} },
      { mark: null, mode: 'off' },
      { mark: { n: 2 }, mode: 'shadow', onError: 'continue' },
      { mark: {}, name: 'slow' },
    ];
    const probe = probePolicies();
    const snapshot = await snapshotOf(
      documentWith({ ...listener({ policies: [{ mark: {} }] }), routes: policies(...items).routes }),
      probe,
    );
    const route = snapshot.listeners[0].router.match('h', '/', 'GET', { get: () => undefined });
    assert.ok(route.kind === 'found');
    assert.deepEqual(
      route.route.pipeline.request.map((a) => [a.id, a.mode, a.onError]),
      [
        ['listener:public/mark', 'enforce', 'reject'],
        ['route:all/mark', 'enforce', 'reject'],
        ['route:all/mark#3', 'shadow', 'continue'],
        ['route:all/mark@slow', 'enforce', 'reject'],
      ],
    );
    assert.deepEqual(
      snapshot.listeners[0].pipeline.request.map((a) => a.id),
      ['listener:public/mark'],
    );
    assert.equal(snapshot.attachments.length, 4);
    assert.equal(probe.log.includes('+route:all/mark#2'), false, 'what is off is not compiled');
  });

  it('takes an identity provided at the listener, and shadow from shadow', async () => {
    await snapshotOf(
      documentWith({ ...listener({ policies: [{ login: {} }] }), routes: policies({ guard: {} }).routes }),
    );
    await snapshotOf(policies({ login: {}, mode: 'shadow' }, { guard: {}, mode: 'shadow' }));
  });

  it('serves a route on the listeners it names only', async () => {
    const listeners = [
      { name: 'a', address: '[::1]:1' },
      { name: 'b', address: '[::1]:2' },
    ];
    const snapshot = await snapshotOf(documentWith({ listeners }, { listeners: ['b'] }));
    const kinds = snapshot.listeners.map(
      (l) => l.router.match('h', '/', 'GET', { get: () => undefined }).kind,
    );
    assert.deepEqual(kinds, ['none', 'found']);
  });
});

function ip(text: string) {
  const address = parseIpAddress(text);
  assert.ok(address);
  return address;
}
