import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { type SnapshotParts, settled, stage } from '../../test/fixtures/data-plane.ts';
import { statusOf, values } from '../../test/fixtures/raw-client.ts';
import { ok } from '../../test/fixtures/raw-upstream.ts';
import type { Attachment, Pipeline, Router } from '../contract/index.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc';

/** A defect: what cannot throw does, from the `n`th time it is asked. */
function throwing<T>(value: T, n: number): () => T {
  let asked = 0;
  return () => {
    if (++asked >= n) throw new Error('a defect');
    return value;
  };
}

/** A router whose only route throws when it is asked for its attachments of a phase for the `n`th time. */
function routerThatThrows(phase: 'response' | 'responseChunk', n: number): Router {
  const none: readonly Attachment[] = [];
  const phases = {
    request: none,
    requestBody: none,
    response: none,
    responseChunk: none,
    buffersBody: false,
  };
  const pipeline: Pipeline = Object.defineProperty(phases, phase, { get: throwing(none, n) });
  const route = {
    name: 'r',
    index: 0,
    pipeline,
    upstream: 'u',
    priority: 'normal' as const,
    maxBodyBytes: undefined,
    upgrade: false,
  };
  return { match: () => ({ kind: 'found', route, params: {} }) };
}

type Parts = Omit<SnapshotParts, 'targets'>;

describe('a defect before the answer has begun is answered with 500, told once, and closes', () => {
  const cases: readonly (readonly [name: string, parts: Parts, request: string])[] = [
    ['before the judgement', { listener: { trusts: throwing(false, 1) } }, GET],
    ['while the request is sent', { listener: { trusts: throwing(false, 2) } }, GET],
    ['while a request with a body is sent', { listener: { trusts: throwing(false, 2) } }, POST],
    ['at the head of the answer', { listener: { router: routerThatThrows('response', 1) } }, GET],
  ];
  for (const [name, parts, request] of cases) {
    stage(name, parts, { answer: ok('') }, async ({ plane }) => {
      const client = await plane.send(request);
      const response = await client.response();
      assert.ok(response !== undefined);
      assert.equal(statusOf(response), 500);
      assert.deepEqual(values(response, 'connection'), ['close']);
      assert.ok(!response.body.toString().includes('a defect'), 'a cause is never shown');
      const [record] = await plane.recorded(1);
      assert.deepEqual([record.status, record.error], [500, 'internal']);
      assert.equal(plane.logged.filter((event) => event === 'exchange-failed').length, 1);
    });
  }
});

describe('a defect inside an answer cuts it', () => {
  stage(
    'after its head',
    { listener: { router: routerThatThrows('responseChunk', 2) } },
    { answer: ok('never whole') },
    async ({ plane, upstream }) => {
      const client = await plane.send(GET);
      const response = await client.response();
      assert.notEqual(response?.complete, true);
      await settled(
        () => upstream.connections.every((c) => c.closed),
        'the upstream connection to be closed',
      );
      const [record] = await plane.recorded(1);
      assert.equal(record.error, 'internal');
    },
  );
});
