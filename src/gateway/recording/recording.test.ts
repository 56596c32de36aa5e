import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  type Attached,
  gate,
  Plane,
  type SnapshotParts,
  type Stage,
  settled,
} from '../../../test/fixtures/data-plane.ts';
import { statusOf } from '../../../test/fixtures/raw-client.ts';
import {
  ok,
  RawUpstream,
  type RawUpstreamOptions,
  send,
  silent,
} from '../../../test/fixtures/raw-upstream.ts';
import { all, KEY, keysOf } from '../../../test/fixtures/recording/stage.ts';
import { CONTINUE, type RecordedRequest, type RecordingPlan, reject, respond } from '../../contract/index.ts';
import { PolicyRejection } from '../../errors.ts';
import { openRecording } from '../../recording/index.ts';

const HOST = 'Host: a.test\r\n';
const GET = `GET /orders?limit=10 HTTP/1.1\r\n${HOST}\r\n`;
const PLAN: RecordingPlan = {
  requestsPerSecond: 200,
  bodyBytes: 1000,
  keepMs: 86_400_000,
  maxBytes: 10_000_000,
  credentials: { headers: ['x-who'], query: ['who'] },
};
const NO = reject(new PolicyRejection('forbidden', 'No.', { rule: 'groups', reason: 'not in a group' }));
const refuses: Attached = { policy: { request: () => NO } };
const lets: Attached = { policy: { request: () => CONTINUE } };

const post = (body: string, fields = 'Content-Type: application/json\r\n'): string =>
  `POST /orders HTTP/1.1\r\n${HOST}${fields}Content-Length: ${body.length}\r\n\r\n${body}`;

interface RecordingStage extends Stage {
  /** Writes what was recorded so far and reads it all. */
  recorded(): Promise<readonly RecordedRequest[]>;
}

function recording(
  name: string,
  parts: Omit<SnapshotParts, 'targets'>,
  options: RawUpstreamOptions,
  story: (on: RecordingStage) => Promise<void>,
): void {
  it(name, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sallyport-recording-'));
    const upstream = await RawUpstream.start(options);
    const plane = await Plane.start({ targets: [upstream.port], recording: PLAN, ...parts });
    const recorded = async (): Promise<readonly RecordedRequest[]> => {
      await plane.dataPlane.flushRecording();
      return await all(openRecording(dir, keysOf(KEY)).read());
    };
    try {
      await plane.dataPlane.recordTo({ dir, key: KEY });
      await story({ plane, upstream, recorded });
      await plane.close();
    } finally {
      plane.abandon();
      await upstream.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });
}

const answered = async ({ plane }: Stage, bytes: string): Promise<number> => {
  const client = await plane.send(bytes);
  return statusOf((await client.response()) ?? assert.fail('no answer'));
};

describe('a request is recorded', () => {
  recording('that went on to the upstream', { policies: [lets] }, { answer: ok() }, async (on) => {
    await answered(on, GET);
    const [record, ...more] = await on.recorded();
    assert.equal(more.length, 0);
    assert.deepEqual(record.outcome, {
      kind: 'forward',
      status: 0,
      route: 'r',
      by: undefined,
      policy: undefined,
      code: undefined,
      rule: undefined,
    });
    const { method, target, headers, listener, scheme, peer, httpVersion, revision, weight, body } = record;
    assert.deepEqual(
      { method, target, headers, listener, scheme, peer, httpVersion, revision, weight, body },
      {
        method: 'GET',
        target: '/orders?limit=10',
        headers: ['Host', 'a.test'],
        listener: 'l',
        scheme: 'http',
        peer: '127.0.0.1',
        httpVersion: '1.1',
        revision: 'a'.repeat(64),
        weight: 1,
        body: { kind: 'none' },
      },
    );
    assert.equal(record.upstream?.status, 200);
    assert.ok((record.upstream?.ms ?? -1) >= 0 && record.durationMs >= (record.upstream?.ms ?? 0));
    assert.deepEqual(
      record.decisions.map(({ outcome }) => outcome),
      ['continue'],
    );
    assert.deepEqual(on.plane.records[0].requestId, record.requestId);
  });

  const refused = {
    kind: 'reject',
    status: 403,
    route: 'r',
    by: 'route:r/p1',
    policy: 'p1',
    code: 'forbidden',
    rule: 'groups',
  };
  recording('that a policy refused', { policies: [lets, refuses] }, { answer: ok() }, async (on) => {
    assert.equal(await answered(on, GET), 403);
    const [record] = await on.recorded();
    assert.deepEqual(record.outcome, refused);
    assert.equal(record.decisions.at(-1)?.reason, 'not in a group');
    assert.equal(record.upstream, undefined);
  });

  const shadow: Attached = { ...refuses, mode: 'shadow' };
  recording(
    'that a policy would have refused',
    { policies: [shadow, refuses] },
    { answer: ok() },
    async (on) => {
      await answered(on, GET);
      assert.equal((await on.recorded())[0].outcome?.by, 'route:r/p1');
    },
  );

  const answers: Attached = { policy: { request: () => respond({ status: 204, headers: [], body: '' }) } };
  recording('that a policy answered', { policies: [answers] }, { answer: ok() }, async (on) => {
    await answered(on, GET);
    const { outcome } = (await on.recorded())[0];
    assert.deepEqual([outcome?.kind, outcome?.status, outcome?.by], ['respond', 204, 'route:r/p0']);
  });

  const breaks: Attached = {
    policy: {
      request: () => {
        throw new Error('broken');
      },
    },
  };
  recording('that a policy failed to judge', { policies: [breaks] }, { answer: ok() }, async (on) => {
    await answered(on, GET);
    const { outcome } = (await on.recorded())[0];
    assert.deepEqual([outcome?.kind, outcome?.code, outcome?.by], ['reject', 'policy-failed', 'route:r/p0']);
  });

  const goesOn: Attached = { ...breaks, onError: 'continue' };
  recording('that went on although one failed', { policies: [goesOn] }, { answer: ok() }, async (on) => {
    await answered(on, GET);
    assert.equal((await on.recorded())[0].outcome?.kind, 'forward');
  });

  recording('that no route took', { paths: ['/other'], policies: [lets] }, { answer: ok() }, async (on) => {
    await answered(on, GET);
    const { outcome } = (await on.recorded())[0];
    assert.deepEqual([outcome?.kind, outcome?.route, outcome?.by], ['reject', '', undefined]);
    assert.equal(outcome?.status, 404);
  });

  recording('of who is banned', {}, { answer: ok() }, async (on) => {
    on.plane.ban('127.0.0.1/32');
    await answered(on, GET);
    const { outcome, decisions } = (await on.recorded())[0];
    assert.deepEqual([outcome?.kind, outcome?.code, outcome?.rule], ['refused', 'address-banned', 'ban:b0']);
    assert.deepEqual(decisions, []);
  });

  recording(
    'that the upstream did not answer',
    { upstream: { responseTimeoutMs: 200 } },
    { answer: silent },
    async (on) => {
      const client = await on.plane.send(GET);
      await settled(() => on.upstream.connections.length > 0, 'the request upstream');
      on.plane.advance(500);
      assert.equal(statusOf((await client.response()) ?? assert.fail()), 504);
      const record = (await on.recorded())[0];
      assert.deepEqual([record.outcome?.kind, record.upstream], ['forward', undefined]);
    },
  );

  const upgraded = 'HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
  recording('that became a tunnel, its head only', {}, { answer: send(upgraded) }, async (on) => {
    const client = await on.plane.send(
      `GET /chat HTTP/1.1\r\n${HOST}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n`,
    );
    await settled(() => client.received.includes('HTTP/1.1 101'), 'the switch');
    client.send('a secret said in the tunnel');
    assert.deepEqual(await on.recorded(), []);
    client.close();
    await on.plane.recorded(1);
    const [record] = await on.recorded();
    assert.deepEqual([record.upstream?.status, record.body], [101, { kind: 'none' }]);
  });
});

describe('no request is recorded', () => {
  recording('that nobody can read', {}, { answer: ok() }, async (on) => {
    await answered(on, `GET /a HTTP/1.1\r\nHost: a b\r\n\r\n`);
    assert.deepEqual(await on.recorded(), []);
  });

  const never = gate<never>();
  const waits: Attached = { policy: { request: () => never.promise } };
  recording('that broke off before it was judged', { policies: [waits] }, { answer: ok() }, async (on) => {
    (await on.plane.send(GET)).close();
    await on.plane.recorded(1);
    assert.deepEqual(await on.recorded(), []);
  });

  recording('where the document says so', { recording: undefined }, { answer: ok() }, async (on) => {
    await answered(on, GET);
    assert.deepEqual(await on.recorded(), []);
  });

  recording('once the document says so, and again when it does not', {}, { answer: ok() }, async (on) => {
    const { plane, upstream } = on;
    await answered(on, GET);
    await plane.reload({ targets: [upstream.port], revision: 'b' });
    await answered(on, GET);
    await plane.reload({ targets: [upstream.port], revision: 'c', recording: PLAN });
    await answered(on, GET);
    const records = await on.recorded();
    assert.deepEqual(
      records.map(({ revision }) => revision[0]),
      ['a', 'c'],
    );
  });
});

describe('what is recorded of a body', () => {
  const order = '{"id":7}';
  const cases: readonly (readonly [
    string,
    Omit<SnapshotParts, 'targets'>,
    string,
    RecordedRequest['body'],
  ])[] = [
    ['all of one that goes on', {}, post(order), { kind: 'whole', bytes: Buffer.from(order) }],
    [
      'all of one in pieces',
      {},
      `POST /a HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"i\r\n5\r\nd":7}\r\n0\r\n\r\n`,
      { kind: 'whole', bytes: Buffer.from(order) },
    ],
    [
      'all of one that a policy has seen',
      { policies: [{ policy: { requestBody: () => CONTINUE }, body: 'buffer' }] },
      post(order),
      { kind: 'whole', bytes: Buffer.from(order) },
    ],
    [
      'all of one that a policy has refused',
      { policies: [{ policy: { requestBody: () => NO }, body: 'buffer' }] },
      post(order),
      { kind: 'whole', bytes: Buffer.from(order) },
    ],
    [
      'all of one that was not needed',
      { policies: [refuses] },
      post(order),
      { kind: 'whole', bytes: Buffer.from(order) },
    ],
    [
      'nothing of one that was not waited for',
      { policies: [refuses] },
      `POST /a HTTP/1.1\r\n${HOST}Content-Length: 500000\r\n\r\n`,
      { kind: 'missing', size: 500_000, why: 'too-large' },
    ],
    [
      'nothing of one that the client was not asked for',
      { policies: [refuses] },
      `POST /a HTTP/1.1\r\n${HOST}Content-Length: 8\r\nExpect: 100-continue\r\n\r\n`,
      { kind: 'missing', size: 8, why: 'not-read' },
    ],
    [
      'nothing of a long one',
      {},
      post(`"${'x'.repeat(1500)}"`),
      { kind: 'missing', size: 1502, why: 'too-large' },
    ],
    [
      'nothing of a long one that a policy has seen',
      { policies: [{ policy: { requestBody: () => CONTINUE }, body: 'buffer' }] },
      post(`"${'x'.repeat(1500)}"`),
      { kind: 'missing', size: 1502, why: 'too-large' },
    ],
    [
      'nothing of one that is larger than allowed',
      { limits: { bodyBytes: 100 } },
      post('x'.repeat(101)),
      { kind: 'missing', size: 101, why: 'not-read' },
    ],
    [
      'nothing of one with a password',
      {},
      post('{"password":"hunter2"}'),
      { kind: 'missing', size: 22, why: 'withheld' },
    ],
    [
      'nothing of one that is compressed',
      {},
      post('xyz', 'Content-Type: application/json\r\nContent-Encoding: gzip\r\n'),
      { kind: 'missing', size: 3, why: 'withheld' },
    ],
    ['nothing of an empty one', {}, post(''), { kind: 'none' }],
  ];
  for (const [name, parts, bytes, expected] of cases) {
    recording(name, parts, { answer: ok() }, async (on) => {
      await answered(on, bytes);
      const [{ body }] = await on.recorded();
      const comparable = body.kind === 'whole' ? { ...body, bytes: Buffer.from(body.bytes) } : body;
      assert.deepEqual(comparable, expected);
      const withheld = expected.kind === 'missing' && expected.why === 'withheld' ? 1 : undefined;
      assert.equal(on.plane.meter.counts.get('sallyport_recording_withheld_bodies_total{}'), withheld);
    });
  }
});

describe('what is recorded when there are many', () => {
  const few = { ...PLAN, requestsPerSecond: 10 };
  const slowly = (n: number): string => GET.repeat(n);
  recording(
    'is a sample that stands for all, and bodies in it are short',
    { recording: few },
    { answer: ok() },
    async (on) => {
      const client = await on.plane.send(slowly(300), new Array<string>(300).fill('GET'));
      await on.plane.recorded(300);
      client.send(post('{"a":1}'));
      await on.plane.recorded(301);
      const records = await on.recorded();
      assert.ok(records.length < 120, `${records.length} are kept`);
      assert.equal(
        records.reduce((sum, { weight }) => sum + weight, 0),
        301,
      );
      const { counts } = on.plane.meter;
      assert.equal(counts.get('sallyport_recording_kept_total{}'), records.length);
      assert.equal(counts.get('sallyport_recording_sampled_out_total{}'), 301 - records.length);
    },
  );

  recording(
    'has room for who is refused of its own',
    {
      recording: few,
      policies: [{ policy: { request: (c) => (c.request.path === '/no' ? NO : CONTINUE) } }],
    },
    { answer: ok() },
    async (on) => {
      await answered(on, GET.replace('/orders', '/no'));
      await on.plane.send(slowly(300), new Array<string>(300).fill('GET'));
      await on.plane.recorded(301);
      const records = await on.recorded();
      const refused = records.filter(({ outcome }) => outcome?.kind === 'reject');
      assert.deepEqual(
        refused.map(({ weight }) => weight),
        [1],
      );
    },
  );
});

describe('credentials', () => {
  recording('are recorded of no request', {}, { answer: ok() }, async (on) => {
    const fields = 'X-Who: hunter2\r\nAuthorization: Basic aHVudGVyMg==\r\nCookie: a=hunter2\r\n';
    await answered(on, `GET /a?who=hunter2&b=1 HTTP/1.1\r\n${HOST}${fields}\r\n`);
    const [{ target, headers, withheld }] = await on.recorded();
    assert.equal(target, '/a?who=&b=1');
    assert.deepEqual(headers, ['Host', 'a.test', 'X-Who', '', 'Authorization', '', 'Cookie', '']);
    assert.deepEqual(withheld, { headers: ['x-who', 'authorization', 'cookie'], query: ['who'] });
  });

  recording(
    'are recorded of no request once another document is in service',
    {},
    { answer: ok() },
    async (on) => {
      const { plane, upstream } = on;
      const credentials = { headers: [], query: [] };
      await plane.reload({ targets: [upstream.port], revision: 'b', recording: { ...PLAN, credentials } });
      await answered(on, `GET /a?who=hunter2 HTTP/1.1\r\n${HOST}X-Who: hunter2\r\n\r\n`);
      const [{ revision, withheld }] = await on.recorded();
      assert.equal(revision[0], 'b');
      assert.deepEqual(withheld, { headers: ['x-who'], query: ['who'] });
    },
  );
});
