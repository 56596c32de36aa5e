import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import {
  AUTH,
  check,
  codeOf,
  type Expected,
  makeWorld,
  REVISION,
  YAML,
} from '../../../test/fixtures/admin.ts';
import { openSqliteStore, StoreError } from '../../store/index.ts';
import type { AdminDeps, OfferResult } from './index.ts';

test('a defect is told by its request id only', async () => {
  const broken = (): never => {
    throw new Error('boom at right-token');
  };
  const { app, logged } = await makeWorld({ metrics: broken, readiness: broken });
  await check(app, [
    ['metrics', { url: '/metrics' }, [500, 'internal']],
    ['readyz', { url: '/readyz' }, [500, 'internal']],
  ]);
  assert.deepEqual(logged, ['admin-request-failed', 'admin-request-failed']);
});

test('a store that is gone or damaged is 503, and the rest answers', async () => {
  const damaged = openSqliteStore(':memory:');
  const fail = () => Promise.reject(new StoreError('corrupt', 'damaged at right-token'));
  const stores: AdminDeps['store'][] = [
    () => undefined,
    () =>
      Object.assign(damaged, { listRevisions: fail, listAudit: fail, verifyAudit: fail, appendAudit: fail }),
  ];
  for (const store of stores) {
    const { app, restarted } = await makeWorld({ store });
    await check(app, [
      ['revisions', { url: '/api/revisions', headers: AUTH }, [503, 'store-unavailable']],
      ['audit', { url: '/api/audit', headers: AUTH }, [503, 'store-unavailable']],
      ['verification', { url: '/api/audit/verification', headers: AUTH }, [503, 'store-unavailable']],
      ['status', { url: '/api/status', headers: AUTH }, [200]],
      ['restart', { method: 'POST', url: '/api/workers/0/restart', headers: AUTH }, [202]],
    ]);
    assert.deepEqual(restarted, [0]);
  }
});

const publish = (app: FastifyInstance, headers: Record<string, string> = {}, query = '') =>
  app.inject({
    method: 'POST',
    url: `/api/revisions${query}`,
    payload: '# mine\nsallyport: 1\n',
    headers: { host: 'localhost', ...YAML, ...headers },
  });

test('a document goes to the publisher as it was sent', async () => {
  const { app, offers } = await makeWorld();
  const answer = await publish(app, { 'if-match': `"${REVISION}"` }, '?reason=new%20route');
  assert.equal(answer.statusCode, 201);
  const taken = { revision: REVISION, outcome: 'activated', rollout: null, findings: [] };
  assert.deepEqual(answer.json(), taken);
  assert.equal(answer.headers.etag, `"${REVISION}"`);
  assert.equal(answer.headers.location, `/api/revisions/${REVISION}`);
  await publish(app, { 'if-match': '*', 'content-type': 'text/yaml; charset=utf-8' });
  const text = '# mine\nsallyport: 1\n';
  assert.deepEqual(offers, [
    { text, actor: 'admin', reason: 'new route', expectedRevision: REVISION },
    { text, actor: 'admin', reason: '', expectedRevision: undefined },
  ]);
});

test('what became of an offer is told', async () => {
  const issues = [
    { path: 'routes[0].upstream', message: 'unknown', line: 3, suggestion: 'did you mean "orders"?' },
  ];
  const cases: [OfferResult, Expected][] = [
    [{ outcome: 'unchanged', revision: REVISION }, [200]],
    [{ outcome: 'refused', revision: REVISION, issues }, [422, 'invalid-document']],
    [{ outcome: 'stale', revision: REVISION }, [412, 'precondition-failed']],
  ];
  for (const [result, [status, code]] of cases) {
    const { app } = await makeWorld({}, result);
    const answer = await publish(app);
    assert.equal(answer.statusCode, status);
    if (code !== undefined) assert.equal(codeOf(answer.body), code);
    assert.deepEqual(answer.json().errors, result.outcome === 'refused' ? issues : undefined);
  }
});

test('who comes too late is told what has changed since', async () => {
  const store = openSqliteStore(':memory:');
  const other = 'cd'.repeat(32);
  const revision = { files: {}, createdAt: 1, author: 'ann', reason: '' };
  const routes = 'routes: [{ name: b, match: { path: /b } }]';
  await store.putRevision({ ...revision, id: REVISION, document: 'sallyport: 1\n' });
  await store.putRevision({ ...revision, id: other, document: `sallyport: 1\n${routes}\n` });
  const { app } = await makeWorld({ store: () => store }, { outcome: 'stale', revision: other });
  const answer = await publish(app, { 'if-match': `"${REVISION}"` });
  assert.equal(codeOf(answer.body), 'precondition-failed');
  const [{ kind, subject, name }] = answer.json().changes;
  assert.deepEqual({ kind, subject, name }, { kind: 'added', subject: 'route', name: 'b' });
  const unknown = await publish(app, { 'if-match': `"${'ef'.repeat(32)}"` });
  assert.equal(unknown.statusCode, 412);
  assert.equal(unknown.json().changes, undefined);
});

test('a precondition that cannot be understood fails', async () => {
  const { app, offers } = await makeWorld();
  for (const value of [REVISION, `W/"${REVISION}"`, '"x"', `"${REVISION}", "${REVISION}"`, '']) {
    const answer = await publish(app, { 'if-match': value });
    assert.equal(answer.statusCode, 412, value);
  }
  assert.deepEqual(offers, []);
});

test('revisions and audit are read page by page', async () => {
  const store = openSqliteStore(':memory:');
  for (let n = 1; n <= 3; n++) {
    const id = String(n).repeat(64);
    const files = { './a.yaml': 'a', './b.yaml': 'b' };
    await store.putRevision({ id, document: `# ${n}`, files, createdAt: n, author: 'admin', reason: '' });
    await store.appendAudit({ at: n, actor: 'admin', action: 'x', subject: id, detail: { n, why: null } });
  }
  const { app } = await makeWorld({ store: () => store });
  const get = async (url: string) =>
    (await app.inject({ url, headers: { host: 'localhost', ...AUTH } })).json();
  const first = await get('/api/revisions?limit=2');
  assert.deepEqual([first.revisions.map((r: { number: number }) => r.number), first.next], [[3, 2], 2]);
  assert.equal(first.active, REVISION);
  const second = await get(`/api/revisions?limit=2&before=${first.next}`);
  assert.deepEqual([second.revisions.length, second.next], [1, null]);
  const one = await get(`/api/revisions/${'2'.repeat(64)}`);
  assert.equal(one.document, '# 2');
  assert.deepEqual(one.files, { './a.yaml': 'a', './b.yaml': 'b' });
  const audit = await get('/api/audit?limit=1');
  assert.deepEqual(audit.entries[0].detail, { n: 3, why: null });
  assert.equal(audit.next, 3);
  const verified = await get('/api/audit/verification');
  assert.deepEqual([verified.intact, verified.number, verified.fault], [true, 3, null]);
  assert.equal(verified.hash, audit.entries[0].hash);
});

test('health, status and catalogue say what they know', async () => {
  const refusal = {
    atMs: 5,
    origin: 'file' as const,
    revision: undefined,
    issues: [{ path: 'a', message: 'b', line: 2 }],
  };
  const { app } = await makeWorld({
    publisher: { activatedAtMs: 0, refusal, publish: () => Promise.reject(new Error('unused')) },
  });
  const get = (url: string) => app.inject({ url, headers: { host: 'localhost', ...AUTH } });
  assert.deepEqual((await get('/healthz')).json(), { status: 'ok' });
  assert.equal((await get('/metrics')).body, 'up 1\n');
  assert.match(String((await get('/metrics')).headers['content-type']), /^text\/plain; version=0\.0\.4/);
  const status = (await get('/api/status')).json();
  assert.equal(status.activatedAt, '1970-01-01T00:00:00.000Z');
  assert.deepEqual(status.refusal.issues, refusal.issues);
  assert.deepEqual(status.workers, [{ id: 0, state: 'serving', restarts: 0, lastEnd: null }]);
  assert.deepEqual((await get('/api/policies')).json().policies[0].schema, {
    type: 'object',
    properties: { allow: {} },
  });
  assert.deepEqual((await get('/api/schema.json')).json().anyKey, [1]);
});

test('readyz is 503 while nothing is served', async () => {
  const { app } = await makeWorld({
    readiness: () => ({ ready: false, reason: 'no revision yet', revision: undefined, source: undefined }),
  });
  const answer = await app.inject({ url: '/readyz', headers: { host: 'localhost' } });
  assert.equal(answer.statusCode, 503);
  const expected = { ready: false, reason: 'no revision yet', revision: null, source: null };
  assert.deepEqual(answer.json(), expected);
});

test('a restart is audited and answered before its drain is over', async () => {
  const store = openSqliteStore(':memory:');
  const { app } = await makeWorld({ store: () => store, restartWorker: () => new Promise(() => undefined) });
  const headers = { host: 'localhost', ...AUTH };
  const answer = await app.inject({ method: 'POST', url: '/api/workers/0/restart', headers });
  assert.equal(answer.statusCode, 202);
  const [entry] = await store.listAudit({ limit: 1 });
  assert.deepEqual([entry.action, entry.subject], ['worker.restart', '0']);
});

test('the API describes itself as OpenAPI 3.1', async () => {
  const { app } = await makeWorld();
  const answer = await app.inject({ url: '/api/openapi.json', headers: { host: 'localhost', ...AUTH } });
  const document = answer.json();
  assert.equal(document.openapi, '3.1.0');
  const paths = Object.keys(document.paths);
  for (const url of ['/api/revisions', '/api/revisions/{id}', '/api/workers/{id}/restart', '/healthz']) {
    assert.ok(paths.includes(url), url);
  }
  assert.deepEqual(document.paths['/healthz'].get.security, []);
  assert.deepEqual(document.security, [{ adminToken: [] }]);
  assert.ok('application/yaml' in document.paths['/api/revisions'].post.requestBody.content);
  const references = [...answer.body.matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref);
  assert.ok(references.length > 0);
  assert.deepEqual([...new Set(references)], ['#/components/schemas/Problem']);
  assert.ok('Problem' in document.components.schemas);
});
