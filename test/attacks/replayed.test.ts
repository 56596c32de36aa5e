import assert from 'node:assert/strict';
import dns from 'node:dns';
import net from 'node:net';
import { describe, it } from 'node:test';
import { renderDiff, renderExample } from '../../src/cli/replay-text.ts';
import type { RecordedRequest } from '../../src/contract/index.ts';
import { comparedOf } from '../../src/lifecycle/replay/index.ts';
import { BEN, judged, keyHolder, recorded, START_MS, WITH_KEY } from '../fixtures/replays.ts';

/** Records are of requests that anybody may have sent: none of them stops a replay, nor does anything but be counted. */

const LIMITS = [
  { 'ip-list': { deny: ['203.0.113.0/24'] } },
  { 'rate-limit': { by: 'address', limit: 100, window: '1m' } },
  { concurrency: { by: 'address', limit: 10 } },
];
const bytes = (text: string): RecordedRequest['body'] => ({ kind: 'whole', bytes: Buffer.from(text) });
const MANY = Array.from({ length: 4000 }, (_, i) => [`x-${i}`, 'v']).flat();

const HOSTILE: readonly (readonly [string, Partial<RecordedRequest>])[] = [
  ['very many fields', { headers: ['Host', 'a', ...MANY] }],
  ['one field of 64 kB', { headers: ['Host', 'a', 'x', 'y'.repeat(65_536)] }],
  [
    'names of prototypes',
    { headers: ['Host', 'a', '__proto__', 'x', 'constructor', 'y'], target: '/__proto__?__proto__=1' },
  ],
  ['a list of fields that is odd', { headers: ['Host', 'a', 'x'] }],
  ['no host', { headers: [] }],
  ['two hosts', { headers: ['Host', 'a', 'Host', 'b'] }],
  ['a host that is none', { headers: ['Host', '[::1', 'Host', '\u0000'] }],
  ['a target that is none', { target: '' }],
  ['a target of another form', { target: 'http://u:p@a:99999/%zz' }],
  ['a target of the server', { target: '*', method: 'OPTIONS' }],
  ['a target of nothing but dots', { target: `/${'../'.repeat(20_000)}` }],
  ['a query of very many', { target: `/?${'a=1&'.repeat(15_000)}` }],
  ['percent signs', { target: `/${'%'.repeat(30_000)}` }],
  ['a method of anybody', { method: 'X'.repeat(10_000) }],
  ['a peer that is none', { peer: 'nobody' }],
  [
    'a forwarder of itself',
    { peer: '192.0.2.250', headers: ['Host', 'a', 'X-Forwarded-For', '192.0.2.250,'.repeat(4000)] },
  ],
  ['a time that is none', { durationMs: Number.NaN }],
  ['a time without end', { durationMs: Number.MAX_VALUE }],
  ['a time before it began', { durationMs: -1e12 }],
  ['an answer before it was asked', { upstream: { status: 0, ms: -1 } }],
  ['a listener that is none', { listener: '__proto__' }],
  ['a consumer of a prototype', { ...WITH_KEY, identity: keyHolder('__proto__') }],
  [
    'a deep body',
    {
      method: 'POST',
      headers: ['Host', 'a', 'Content-Type', 'application/json'],
      body: bytes('['.repeat(16_000)),
    },
  ],
  [
    'a body of very many',
    {
      method: 'POST',
      headers: ['Host', 'a', 'Content-Type', 'application/json'],
      body: bytes(`[${'"a",'.repeat(4000)}1]`),
    },
  ],
  [
    'a body that lies of its length',
    {
      headers: ['Host', 'a', 'Content-Length', '9'.repeat(400)],
      body: { kind: 'missing', size: Number.MAX_VALUE, why: 'too-large' },
    },
  ],
  [
    'all of it withheld',
    {
      headers: ['Host', ''],
      withheld: { headers: ['host', '__proto__'], query: ['__proto__'], path: true, claims: ['__proto__'] },
      identity: BEN,
    },
  ],
  [
    'what escapes a terminal',
    {
      requestId: '\u001b]0;x\u0007',
      method: '\u001b[2J',
      target: '/\u001b[31m\u009b2J',
      headers: ['Host', 'a', 'x', '\u001b[2J\r\nforged: line'],
      identity: keyHolder('\u001b[2J\u202e'),
    },
  ],
];

const terminal = { out: () => {}, error: () => {}, colours: false };
/** What may stand in output besides text: line ends and tabs. */
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

describe('a recorded request with', () => {
  for (const [name, more] of HOSTILE) {
    it(name, { timeout: 10_000 }, async () => {
      const one = recorded({ requestId: 'hostile', ...more });
      const records = [recorded({ atMs: START_MS - 1 }), one, recorded({ atMs: START_MS + 60_000 })];
      const startedMs = performance.now();
      const diff = await judged(LIMITS, records, { against: LIMITS.slice(0, 1), example: one.requestId });
      assert.ok(performance.now() - startedMs < 2000);
      assert.equal(diff.records, 3);
      const { requests, ...counts } = diff.totals;
      assert.equal(requests, 3);
      assert.equal(
        Object.values(counts).reduce((a, b) => a + b),
        3,
      );
      assert.equal(diff.totals.same >= 2, true, 'the others are judged as ever');
      assert.doesNotMatch(renderDiff(diff, terminal), CONTROLS);
      if (diff.example !== undefined) assert.doesNotMatch(renderExample(diff.example, terminal), CONTROLS);
    });
  }
});

describe('a flood of callers', () => {
  const callers = (count: number, from = 0) =>
    Array.from({ length: count }, (_, i) =>
      recorded({ ...WITH_KEY, atMs: START_MS + from + i, identity: keyHolder(`eve-${i}`) }),
    );
  const denying = [{ 'api-key': {} }, { acl: { allow: { groups: ['staff'] } } }];

  it('takes bounded room, and every request of it is counted', async () => {
    const diff = await judged(denying, callers(5000));
    assert.equal(comparedOf(diff), 5000);
    assert.equal(diff.totals.allowedToDenied, 5000);
    assert.ok(diff.flips.length <= 250, `${diff.flips.length}`);
    assert.equal(
      diff.flips.reduce((n, { count }) => n + count, diff.otherFlips),
      5000,
    );
  });

  it('does not hide what becomes of others, by whom they are denied', async () => {
    const hidden = recorded({ atMs: START_MS + 9000, headers: ['Host', 'api.example.com'] });
    const diff = await judged(denying, [...callers(300), hidden]);
    const kinds = diff.flips.map(({ after }) => `${after.by} ${after.code}`);
    assert.ok(kinds.includes('route:all/api-key unauthenticated'), `${new Set(kinds)}`);
  });
});

it('nobody outside is asked, whatever a draft would ask', async (t) => {
  const looked = t.mock.method(dns, 'lookup', () => assert.fail('a name was looked up'));
  const connected = t.mock.method(net.Socket.prototype, 'connect', () => assert.fail('somebody was asked'));
  const asking = [{ 'external-auth': { url: 'http://auth.invalid/check' } }];
  const diff = await judged(asking, [recorded()]).catch((error: unknown) => error);
  assert.ok(diff instanceof Error === false, String(diff));
  assert.equal(looked.mock.callCount() + connected.mock.callCount(), 0);
});
