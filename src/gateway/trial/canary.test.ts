import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Attached, EVERYBODY, gate, Plane, settled, stage } from '../../../test/fixtures/data-plane.ts';
import { proxyLine } from '../../../test/fixtures/proxy-header.ts';
import { RawClient, statusOf, values } from '../../../test/fixtures/raw-client.ts';
import { ok, RawUpstream, send, silent } from '../../../test/fixtures/raw-upstream.ts';
import { type ArmFigures, CONTINUE, type Decision, type Identity, reject } from '../../contract/index.ts';
import { InternalError, PolicyRejection } from '../../errors.ts';
import { CallerHash } from './caller-hash.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const NO: Decision = reject(new PolicyRejection('forbidden', 'No.'));
const refuses: Attached = { policy: { request: () => NO } };

const get = (path = '/', ...fields: string[]): string =>
  `GET ${path} HTTP/1.1\r\nHost: a.test\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`;
const post = (body: string): string =>
  `POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

const identity = (consumer: string): Identity => ({ consumer, groups: [], scopes: [], claims: {} });

/** Knows everybody by what stands in `x-api-key`. */
const byKey: Attached = {
  policy: {
    credentialFields: { headers: ['x-api-key'], query: [] },
    request(c) {
      const key = c.request.headers.get('x-api-key');
      if (key === undefined) return CONTINUE;
      if (key.startsWith('wrong')) return reject(new PolicyRejection('invalid-credential', 'No.'));
      c.provide('identity', identity(key.split('.')[0]));
      return CONTINUE;
    },
  },
};

const total = (counts: readonly number[]): number => counts.reduce((a, b) => a + b);
const sums = ({ requests, denied, gatewayErrors, upstreamErrors, latency }: ArmFigures) => ({
  requests: total(requests),
  denied: total(denied),
  gatewayErrors: total(gatewayErrors),
  upstreamErrors: total(upstreamErrors),
  timed: total(latency),
});
const NOTHING = { requests: 0, denied: 0, gatewayErrors: 0, upstreamErrors: 0, timed: 0 };

function figuresOf(plane: Plane) {
  const report = plane.dataPlane.trialReport;
  assert.ok(report);
  const { baseline, canary } = report.figures;
  return { baseline: sums(baseline), canary: sums(canary) };
}

/** Sends one request on a connection of its own: which revision judged it, and the status. */
async function ask(plane: Plane, bytes = get()): Promise<readonly [string, number]> {
  const client = await plane.send(bytes);
  const response = await client.response();
  assert.ok(response);
  client.close();
  const [revision] = values(response, 'x-policy-revision');
  return [revision?.[0] ?? '-', statusOf(response)];
}

/** A share between the places of two callers, so that the first is in the cohort and the second is not. */
function shareBetween(first: string, second: string): number {
  const hash = new CallerHash('rollout-1');
  const places = [hash.locate(first).place, hash.locate(second).place];
  assert.ok(places[0] < places[1], 'take other callers');
  return (places[0] + places[1]) / 2;
}

describe('a request of the canary', () => {
  stage('is judged by the candidate, and says so', {}, { answer: ok() }, async ({ plane }) => {
    await plane.tryOut({ targets: [], policies: [refuses] });
    assert.deepEqual(await ask(plane), ['b', 403]);
    const [record] = await plane.recorded(1);
    assert.equal(record.revision, B);
    assert.equal(record.status, 403);
    assert.deepEqual(figuresOf(plane), {
      baseline: NOTHING,
      canary: { ...NOTHING, requests: 1, denied: 1 },
    });
    assert.equal(plane.meter.counts.get('sallyport_trial_requests_total{arm=canary}'), 1);
  });

  stage('goes to the upstream of the candidate', {}, { answer: ok('old') }, async ({ plane, upstream }) => {
    const other = await RawUpstream.start({ answer: ok('new') });
    await plane.tryOut({ targets: [other.port] });
    const client = await plane.send(get());
    assert.equal((await client.response())?.body.toString(), 'new');
    assert.equal(upstream.connections.length, 0);
    await other.stop();
  });

  stage('is understood by the rules of the candidate', {}, { answer: ok() }, async ({ plane, upstream }) => {
    const listener = { trusts: () => true, encodedSlashes: 'keep' as const };
    await plane.tryOut({ targets: [upstream.port], listener });
    assert.deepEqual(await ask(plane, get('/', 'X-Forwarded-For: 198.51.100.7')), ['b', 200]);
    const [record] = await plane.recorded(1);
    assert.equal(record.client, '198.51.100.7');
  });

  stage(
    'may be refused for how it is written by the candidate alone',
    { listener: { semicolons: 'keep' } },
    { answer: ok() },
    async ({ plane, upstream }) => {
      await plane.tryOut({ targets: [upstream.port] });
      const [, status] = await ask(plane, get('/a;b'));
      assert.equal(status, 400);
      assert.deepEqual(figuresOf(plane).canary, { ...NOTHING, requests: 1, denied: 1 });
    },
  );

  stage(
    'that the active revision cannot read is nobody’s',
    {},
    { answer: ok() },
    async ({ plane, upstream }) => {
      await plane.tryOut({ targets: [upstream.port], listener: { semicolons: 'keep' } });
      assert.deepEqual(await ask(plane, get('/a;b')), ['a', 400]);
      assert.deepEqual(figuresOf(plane), { baseline: NOTHING, canary: NOTHING });
    },
  );

  stage(
    'may have a body as long as the candidate takes',
    { limits: { bodyBytes: 4 } },
    { answer: ok() },
    async ({ plane, upstream }) => {
      assert.deepEqual(await ask(plane, post('12345')), ['a', 413]);
      await plane.tryOut({ targets: [upstream.port], limits: { bodyBytes: 5 } });
      assert.deepEqual(await ask(plane, post('12345')), ['b', 200]);
      assert.deepEqual(await ask(plane, post('123456')), ['b', 413]);
    },
  );

  stage('comes on a connection like any other', {}, { answer: ok() }, async ({ plane, upstream }) => {
    const client = await plane.send(get());
    await client.response(1);
    await plane.tryOut({ targets: [upstream.port] });
    client.send(get());
    await client.response(2);
    plane.dataPlane.endTrial();
    client.send(get());
    const responses = [await client.response(1), await client.response(2), await client.response(3)];
    const revisions = (await plane.recorded(3)).map(({ revision }) => revision);
    assert.ok(responses.every(Boolean));
    assert.deepEqual(revisions, [A, B, A]);
  });

  stage('that is banned is in no arm', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await plane.tryOut({ targets: [upstream.port] });
    plane.ban('127.0.0.0/8');
    assert.deepEqual(await ask(plane), ['a', 403]);
    assert.deepEqual(figuresOf(plane), { baseline: NOTHING, canary: NOTHING });
  });

  stage(
    'stays with the active revision where the candidate listens elsewhere, or otherwise',
    {},
    { answer: ok() },
    async ({ plane, upstream }) => {
      for (const listener of [{ name: 'other' }, { host: '127.0.0.2' }, { proxyProtocol: true }]) {
        await plane.tryOut({ targets: [upstream.port], listener });
        assert.deepEqual(await ask(plane), ['a', 200]);
        assert.deepEqual(figuresOf(plane), { baseline: NOTHING, canary: NOTHING });
        plane.dataPlane.endTrial();
      }
    },
  );
});

describe('who is in the canary', () => {
  stage(
    'a share of the callers, always the same',
    { policies: [byKey] },
    { answer: ok() },
    async ({ plane, upstream }) => {
      const share = 0.3;
      await plane.tryOut(
        { targets: [upstream.port], policies: [byKey] },
        { canary: { ...EVERYBODY, share } },
      );
      const hash = new CallerHash('rollout-1');
      const keys = Array.from({ length: 40 }, (_, i) => `caller${i}.key`);
      for (const key of keys) {
        const first = await ask(plane, get('/', `X-Api-Key: ${key}`));
        const expected = (name: string) => (hash.locate(name).place < share ? 'b' : 'a');
        assert.equal(
          first[0],
          expected(`credential ${hash.markOf(`x-api-key ${key}\n`)}`),
          'while nobody knows whose it is',
        );
        for (let i = 0; i < 2; i++) {
          const [revision] = await ask(plane, get('/', `X-Api-Key: ${key}`, `User-Agent: ${i}`));
          assert.equal(revision, expected(`consumer ${key.split('.')[0]}`), 'once its consumer is known');
        }
      }
      const { baseline, canary } = figuresOf(plane);
      assert.equal(baseline.requests + canary.requests, 120);
      assert.ok(canary.requests > 0 && baseline.requests > canary.requests);
    },
  );

  stage(
    'no header moves a caller but its credential',
    { policies: [byKey] },
    { answer: ok() },
    async ({ plane, upstream }) => {
      await plane.tryOut(
        { targets: [upstream.port], policies: [byKey] },
        { canary: { ...EVERYBODY, share: 0.5 } },
      );
      const [expected] = await ask(plane);
      for (let i = 0; i < 20; i++) {
        const fields = [
          `Cookie: a=${i}`,
          `User-Agent: ${i}`,
          `X-Forwarded-For: 10.0.0.${i}`,
          `X-Request-Id: request-${i}`,
          `Authorization: Bearer ${i}`,
          `X-Policy-Revision: ${B}`,
          `Traceparent: 00-${String(i).padStart(32, '1')}-1111111111111111-00`,
        ];
        assert.equal((await ask(plane, get(`/${i}?a=${i}`, ...fields)))[0], expected);
      }
    },
  );

  stage(
    'only callers that are known where consumers are named',
    { policies: [byKey] },
    { answer: ok() },
    async ({ plane, upstream }) => {
      await plane.tryOut(
        { targets: [upstream.port], policies: [byKey] },
        { canary: { ...EVERYBODY, consumers: ['ann'] } },
      );
      const of = async (...fields: string[]) => (await ask(plane, get('/', ...fields)))[0];
      assert.equal(await of('X-Api-Key: ann.1'), 'a', 'nobody has proved it yet');
      assert.equal(await of('X-Api-Key: ann.1'), 'b');
      assert.equal(await of('X-Api-Key: ben.1'), 'a');
      assert.equal(await of('X-Api-Key: ben.1'), 'a');
      assert.equal(await of('X-Api-Key: wrong'), 'a');
      assert.equal(await of('X-Api-Key: wrong'), 'a');
      assert.equal(await of(), 'a');
      assert.deepEqual(figuresOf(plane), {
        baseline: NOTHING,
        canary: { ...NOTHING, requests: 1, timed: 1 },
      });
    },
  );

  stage(
    'and stays known when only the cohort changes',
    { policies: [byKey] },
    { answer: ok() },
    async ({ plane, upstream }) => {
      const trial = (share: number) => ({ canary: { ...EVERYBODY, share, consumers: ['ann'] } });
      await plane.tryOut({ targets: [upstream.port], policies: [byKey] }, trial(0));
      await ask(plane, get('/', 'X-Api-Key: ann.1'));
      plane.dataPlane.setTrial({ rollout: 'rollout-1', revision: B, shadow: undefined, ...trial(1) });
      assert.equal((await ask(plane, get('/', 'X-Api-Key: ann.1')))[0], 'b');
    },
  );

  stage('requests of a route', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await plane.tryOut({ targets: [upstream.port] }, { canary: { ...EVERYBODY, routes: ['r'] } });
    assert.equal((await ask(plane))[0], 'b');
    plane.dataPlane.endTrial();
    await plane.tryOut({ targets: [upstream.port] }, { canary: { ...EVERYBODY, routes: ['s'] } });
    assert.equal((await ask(plane))[0], 'a');
  });

  stage('clients of a network', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await plane.tryOut({ targets: [upstream.port] }, { canary: { ...EVERYBODY, addresses: ['127.0.0.1'] } });
    assert.equal((await ask(plane))[0], 'b');
    plane.dataPlane.endTrial();
    await plane.tryOut({ targets: [upstream.port] }, { canary: { ...EVERYBODY, addresses: ['127.0.0.2'] } });
    assert.equal((await ask(plane))[0], 'a');
  });

  stage(
    'both arms are of the same callers',
    { policies: [byKey, refuses] },
    { answer: ok() },
    async ({ plane, upstream }) => {
      const canary = {
        ...EVERYBODY,
        consumers: ['ann', 'ben'],
        share: shareBetween('consumer ann', 'consumer ben'),
      };
      await plane.tryOut({ targets: [upstream.port], policies: [byKey] }, { canary });
      for (let i = 0; i < 3; i++)
        for (const key of ['ann.1', 'ben.1', 'carl.1']) await ask(plane, get('/', `X-Api-Key: ${key}`));
      assert.deepEqual(figuresOf(plane), {
        baseline: { ...NOTHING, requests: 2, denied: 2 },
        canary: { ...NOTHING, requests: 2, timed: 2 },
      });
    },
  );
});

describe('what is told of the arms', () => {
  stage(
    'begins anew with another cohort, and only then',
    {},
    { answer: ok() },
    async ({ plane, upstream }) => {
      const snapshot = await plane.tryOut({ targets: [upstream.port] });
      await ask(plane);
      const { revision } = snapshot;
      const trial = { rollout: 'rollout-1', revision, shadow: undefined, canary: EVERYBODY };
      plane.dataPlane.setTrial({ ...trial });
      assert.equal(figuresOf(plane).canary.requests, 1);
      plane.dataPlane.setTrial({ ...trial, canary: { ...EVERYBODY, share: 0.9 } });
      assert.deepEqual(figuresOf(plane).canary, NOTHING);
    },
  );

  stage(
    'goes on for what is under way when the trial ends',
    {},
    { answer: silent },
    async ({ plane, upstream }) => {
      await plane.tryOut({ targets: [upstream.port] });
      const client = await plane.send(get());
      await settled(() => upstream.connections.some((c) => c.requests.length > 0), 'the request');
      plane.dataPlane.endTrial();
      assert.equal(figuresOf(plane).canary.requests, 0);
      client.close();
      await plane.recorded(1);
      assert.deepEqual(figuresOf(plane).canary, { ...NOTHING, requests: 1 });
    },
  );

  stage('an upstream’s fault is told as its own', {}, { answer: ok() }, async ({ plane }) => {
    const broken = await RawUpstream.start({ answer: send('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n') });
    await plane.tryOut({ targets: [broken.port] });
    assert.deepEqual(await ask(plane), ['b', 500]);
    assert.deepEqual(figuresOf(plane).canary, { ...NOTHING, requests: 1, upstreamErrors: 1, timed: 1 });
    await broken.stop();
  });
});

describe('a request under way', () => {
  const judging = gate<Decision>();
  let asked = 0;
  const waits: Attached = {
    policy: {
      request() {
        asked++;
        return judging.promise;
      },
    },
  };
  stage(
    'stays with its revision when the trial ends, and the candidate goes with the last',
    {},
    { answer: ok() },
    async ({ plane, upstream }) => {
      const candidate = await plane.tryOut({ targets: [upstream.port], policies: [waits] });
      const tried = await plane.send(get());
      await settled(() => asked === 1, 'it is judged');
      plane.dataPlane.endTrial();
      assert.deepEqual(await ask(plane), ['a', 200]);
      assert.equal(candidate.disposed, 0, 'a request is still judged by it');
      judging.open(CONTINUE);
      const response = await tried.response();
      assert.ok(response);
      assert.deepEqual(values(response, 'x-policy-revision'), [B]);
      await settled(() => candidate.disposed === 1, 'the candidate is disposed');
    },
  );

  stage(
    'of either revision stays with it when the candidate becomes active',
    {},
    { answer: silent },
    async ({ plane, upstream }) => {
      const share = shareBetween('address 127.0.0.2', 'address 127.0.0.1');
      await plane.tryOut({ targets: [upstream.port] }, { canary: { ...EVERYBODY, share } });
      const from = async (localAddress: string) => {
        const client = await RawClient.connect(plane.port, { localAddress });
        client.send(get());
        return client;
      };
      const clients = [await from('127.0.0.1'), await from('127.0.0.2')];
      await settled(() => upstream.connections.filter((c) => c.requests.length > 0).length === 2, 'both');
      plane.dataPlane.activate(B);
      for (const client of clients) client.close();
      const revisions = (await plane.recorded(2)).map(({ revision }) => revision).sort();
      assert.deepEqual(revisions, [A, B]);
      assert.equal(plane.dataPlane.revision, B);
      await settled(() => plane.snapshots[0].disposed === 1, 'the old one is disposed');
      assert.equal(plane.snapshots[1].disposed, 0);
    },
  );
});

describe('a trial', () => {
  stage('is of what was prepared, and nothing else', {}, { answer: ok() }, async ({ plane }) => {
    const trial = { rollout: 'r', revision: B, shadow: undefined, canary: EVERYBODY };
    assert.throws(() => plane.dataPlane.setTrial(trial), InternalError);
    assert.equal(plane.dataPlane.trialReport, undefined);
    assert.deepEqual(await ask(plane), ['a', 200]);
  });

  stage('is of one candidate', {}, { answer: ok() }, async ({ plane, upstream }) => {
    await plane.tryOut({ targets: [upstream.port] });
    await assert.rejects(plane.tryOut({ revision: 'c', targets: [upstream.port] }), InternalError);
    await plane.dataPlane.discard('c'.repeat(64));
    assert.deepEqual(await ask(plane), ['b', 200]);
  });

  stage('ends with whatever else becomes active', {}, { answer: ok() }, async ({ plane, upstream }) => {
    const candidate = await plane.tryOut({ targets: [upstream.port] });
    await plane.reload({ revision: 'c', targets: [upstream.port] });
    assert.deepEqual(await ask(plane), ['c', 200]);
    await settled(() => candidate.disposed === 1, 'the candidate is disposed');
  });

  stage(
    'changes nothing of the active revision where the candidate breaks',
    {},
    { answer: ok() },
    async ({ plane, upstream }) => {
      const breaks: Attached = {
        policy: {
          request() {
            throw new InternalError('it broke');
          },
        },
      };
      await plane.tryOut({ targets: [upstream.port], policies: [breaks] });
      assert.deepEqual(await ask(plane), ['b', 500]);
      assert.deepEqual(figuresOf(plane).canary, { ...NOTHING, requests: 1, gatewayErrors: 1 });
      plane.dataPlane.endTrial();
      assert.deepEqual(await ask(plane), ['a', 200]);
    },
  );

  it('turns away who comes to what only the candidate listens on, until it is active', async () => {
    const upstream = await RawUpstream.start({ answer: ok() });
    const plane = await Plane.start({ targets: [upstream.port] });
    try {
      const [{ port }] = plane.dataPlane.addresses();
      await plane.tryOut({ targets: [upstream.port], listener: { host: '127.0.0.2', port } });
      const early = await RawClient.connect(port, { host: '127.0.0.2' });
      await settled(() => early.state !== 'open', 'it is turned away');

      plane.dataPlane.activate(B);
      const late = await RawClient.connect(port, { host: '127.0.0.2' });
      late.send(get());
      assert.equal(statusOf((await late.response())!), 200);
      late.close();
      await plane.close();
    } finally {
      plane.abandon();
      await upstream.stop();
    }
  });

  it('believes an unnamed client behind a proxy no more than the active revision does', async () => {
    const upstream = await RawUpstream.start({ answer: ok() });
    const listener = { proxyProtocol: true, trusts: () => true };
    const plane = await Plane.start({ targets: [upstream.port], listener });
    try {
      await plane.tryOut({ targets: [upstream.port], listener });
      const bytes = `PROXY UNKNOWN\r\n${get('/', 'X-Forwarded-For: 198.51.100.7')}`;
      assert.deepEqual(await ask(plane, bytes), ['b', 200]);
      const named = `${proxyLine('192.0.2.9')}${get('/', 'X-Forwarded-For: 198.51.100.7')}`;
      assert.deepEqual(await ask(plane, named), ['b', 200]);
      const clients = (await plane.recorded(2)).map(({ client }) => client);
      assert.deepEqual(clients, ['127.0.0.1', '198.51.100.7']);
      await plane.close();
    } finally {
      plane.abandon();
      await upstream.stop();
    }
  });
});
