import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { openSqliteStore, StoreError } from '../../store/index.ts';
import type { AdminDeps, DocumentOffer, OfferResult } from './index.ts';
import { createAdminServer } from './index.ts';

const TOKEN = 'right-token-right-token-right-token-right-tok';
const REVISION = 'ab'.repeat(32);
const AUTH = { authorization: `Bearer ${TOKEN}` };
const YAML = { ...AUTH, 'content-type': 'application/yaml' };
const clock = { now: () => 1_700_000_000_000, monotonic: () => 0 };

interface World {
  readonly app: FastifyInstance;
  readonly offers: DocumentOffer[];
  readonly logged: string[];
  readonly restarted: number[];
}

async function makeWorld(more: Partial<AdminDeps> = {}, result?: OfferResult): Promise<World> {
  const offers: DocumentOffer[] = [];
  const logged: string[] = [];
  const restarted: number[] = [];
  const log = (event: string) => void logged.push(event);
  const store = openSqliteStore(':memory:');
  const app = await createAdminServer({
    version: '1.2.3',
    clock,
    random: { hex: (bytes) => 'f'.repeat(bytes * 2) },
    log: { info: log, warn: log, error: log },
    token: { path: '/data/admin-token', isNew: false, matches: (presented) => presented === TOKEN },
    host: '127.0.0.1',
    publisher: {
      activatedAtMs: 1,
      refusal: undefined,
      publish: async (offer) => {
        offers.push(offer);
        return result ?? { outcome: 'activated', revision: REVISION };
      },
    },
    store: () => store,
    metrics: async () => 'up 1\n',
    workers: () => [{ id: 0, state: 'serving', restarts: 0, lastEnd: undefined }],
    restartWorker: async (id) => restarted.push(id),
    readiness: () => ({ ready: true, reason: undefined, revision: REVISION, source: 'document' }),
    policies: [{ name: 'acl', summary: 'Lists.', schema: { type: 'object', properties: { allow: {} } } }],
    documentSchema: () => ({ $schema: 'https://json-schema.org/draft/2020-12/schema', anyKey: [1] }),
    ...more,
  });
  after(() => app.close());
  return { app, offers, logged, restarted };
}

type Expected = [status: number, code?: string];
type Case = [name: string, request: InjectOptions, expected: Expected];

const codeOf = (body: string): string | undefined => JSON.parse(body).code;

async function check(app: FastifyInstance, cases: readonly Case[]): Promise<void> {
  for (const [name, request, [status, code]] of cases) {
    const headers = { host: 'localhost:8090', ...request.headers };
    const answer = await app.inject({ method: 'GET', ...request, headers });
    assert.equal(answer.statusCode, status, `${name}: ${answer.body}`);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff', name);
    assert.equal(answer.headers['cache-control'], 'no-store', name);
    assert.match(String(answer.headers['content-security-policy']), /^default-src 'none'/, name);
    assert.doesNotMatch(answer.body, /node_modules|\.ts:|right-token/, name);
    if (status >= 400 && code !== undefined) {
      assert.equal(codeOf(answer.body), code, name);
      assert.equal(answer.headers['content-type'], 'application/problem+json', name);
    }
  }
}

const GUARDED = [
  '/api/status',
  '/api/workers',
  '/api/revisions',
  `/api/revisions/${REVISION}`,
  '/api/audit',
  '/api/audit/verification',
  '/api/policies',
  '/api/schema.json',
  '/api/openapi.json',
  '/%61pi/status',
];

test('without the token nothing of the API is answered', async () => {
  const { app, offers, restarted } = await makeWorld();
  const cases: Case[] = GUARDED.flatMap((url): Case[] => [
    [`none ${url}`, { url }, [401, 'unauthenticated']],
    [`HEAD ${url}`, { url, method: 'HEAD' }, [401]],
    [
      `wrong ${url}`,
      { url, headers: { authorization: `Bearer ${TOKEN}x` }, remoteAddress: url },
      [401, 'invalid-credential'],
    ],
  ]);
  await check(app, [
    ...cases,
    ['publish', { method: 'POST', url: '/api/revisions', payload: 'x' }, [401, 'unauthenticated']],
    ['restart', { method: 'POST', url: '/api/workers/0/restart' }, [401, 'unauthenticated']],
  ]);
  assert.deepEqual([offers, restarted], [[], []]);
});

test('every route but the public ones needs the token', async () => {
  const { app } = await makeWorld();
  const { paths = {} } = app.swagger();
  const open = Object.entries(paths)
    .filter(([path]) => !path.startsWith('/api/'))
    .map(([path]) => path);
  assert.deepEqual(open.sort(), ['/healthz', '/metrics', '/readyz']);
});

test('a credential that is not exactly one bearer token is refused', async () => {
  const { app } = await makeWorld();
  const values = [
    '',
    'Bearer',
    'Bearer ',
    TOKEN,
    `Basic ${TOKEN}`,
    `Bearer ${TOKEN} x`,
    `Bearer ${TOKEN},x`,
    'Bearer é',
  ];
  await check(
    app,
    values.map(
      (authorization, i): Case => [
        authorization,
        { url: '/api/status', headers: { authorization }, remoteAddress: `10.0.0.${i}` },
        [401, 'invalid-credential'],
      ],
    ),
  );
});

test('a token in the URL is refused, even beside a good one', async () => {
  const { app } = await makeWorld();
  const names = ['token', 'access_token', 'Access_Token', 'authorization', 'api_key'];
  await check(
    app,
    names.flatMap((name): Case[] => [
      [name, { url: `/api/status?${name}=${TOKEN}` }, [400, 'malformed-request']],
      [
        `${name} and header`,
        { url: `/api/status?${name}=${TOKEN}`, headers: AUTH },
        [400, 'malformed-request'],
      ],
    ]),
  );
});

test('foreign hosts and origins are refused everywhere, the right token or not', async () => {
  const { app, offers } = await makeWorld();
  const urls = ['/', '/healthz', '/metrics', '/api/status', '/nothing'];
  await check(
    app,
    urls.flatMap((url): Case[] => [
      [`host ${url}`, { url, headers: { ...AUTH, host: 'evil.example' } }, [400, 'bad-host']],
      [`origin ${url}`, { url, headers: { ...AUTH, origin: 'http://evil.example' } }, [403, 'origin-denied']],
      [`null ${url}`, { url, headers: { ...AUTH, origin: 'null' } }, [403, 'origin-denied']],
    ]),
  );
  const request: InjectOptions = {
    method: 'POST',
    url: '/api/revisions',
    payload: 'sallyport: 1',
    headers: { ...YAML, origin: 'http://evil.example' },
  };
  await check(app, [['publish', request, [403, 'origin-denied']]]);
  assert.deepEqual(offers, []);
});

test('wrong tokens are slowed down, and the owner is never locked out', async () => {
  const { app, logged } = await makeWorld();
  const url = '/api/status';
  const wrong: Case = [
    'wrong',
    { url, headers: { authorization: 'Bearer wrong' } },
    [401, 'invalid-credential'],
  ];
  await check(
    app,
    Array.from({ length: 5 }, () => wrong),
  );
  const slowed: Case = ['slowed', { url, headers: { authorization: 'Bearer wrong' } }, [429, 'rate-limited']];
  await check(
    app,
    Array.from({ length: 50 }, () => slowed),
  );
  assert.equal(logged.length, 5);
  await check(app, [
    ['the owner', { url, headers: AUTH }, [200]],
    ['another address', { ...wrong[1], remoteAddress: '10.0.0.9' }, [401, 'invalid-credential']],
  ]);
});

test('bodies that are too large, of a wrong type or unreadable never reach the publisher', async () => {
  const { app, offers } = await makeWorld({ maxDocumentBytes: 1000 });
  const post = (payload: string | Buffer, type?: string): InjectOptions => ({
    method: 'POST',
    url: '/api/revisions',
    payload,
    headers: type === undefined ? AUTH : { ...AUTH, 'content-type': type },
  });
  await check(app, [
    ['too large', post('x'.repeat(1001), 'application/yaml'), [413, 'payload-too-large']],
    ['form', post('a=b', 'application/x-www-form-urlencoded'), [415, 'unsupported-media-type']],
    ['text', post('a', 'text/plain'), [415, 'unsupported-media-type']],
    ['no type', post('a'), [415, 'unsupported-media-type']],
    ['multipart', post('a', 'multipart/form-data; boundary=x'), [415, 'unsupported-media-type']],
    ['bad JSON', post('{"a":', 'application/json'), [400, 'malformed-request']],
    ['deep JSON', post('['.repeat(900), 'application/json'), [400, 'malformed-request']],
    ['bad UTF-8', post(Buffer.from([0x61, 0xff, 0x62]), 'application/yaml'), [400, 'malformed-request']],
    ['empty', post('', 'application/yaml'), [400, 'malformed-request']],
    ['blank', post(' \n', 'application/yaml'), [400, 'malformed-request']],
  ]);
  assert.deepEqual(offers, []);
});

test('what a schema does not name is refused', async () => {
  const { app } = await makeWorld();
  const invalid: Expected = [400, 'invalid-request'];
  const urls = [
    '/api/status?x=1',
    '/api/revisions?limit=0',
    '/api/revisions?limit=1001',
    '/api/revisions?limit=abc',
    '/api/revisions?limit=1&limit=2',
    '/api/revisions?before=-1',
    '/api/revisions?__proto__=1',
    '/api/revisions/ABC',
    '/api/revisions/..%2f..%2fetc',
    `/api/revisions/${'a'.repeat(63)}`,
    '/api/audit?order=asc',
  ];
  await check(
    app,
    urls.map((url): Case => [url, { url, headers: AUTH }, invalid]),
  );
  await check(app, [
    ['worker', { method: 'POST', url: '/api/workers/x/restart', headers: AUTH }, invalid],
    [
      'reason',
      { method: 'POST', url: `/api/revisions?reason=${'x'.repeat(501)}`, payload: 'a', headers: YAML },
      invalid,
    ],
  ]);
});

test('unknown paths and methods are problems', async () => {
  const { app } = await makeWorld();
  await check(app, [
    ['path', { url: '/nothing' }, [404, 'no-route']],
    ['api', { url: '/api/nothing', headers: AUTH }, [404, 'no-route']],
    ['method', { method: 'DELETE', url: '/api/status', headers: AUTH }, [404, 'no-route']],
    ['options', { method: 'OPTIONS', url: '/api/status' }, [404, 'no-route']],
    ['bad escape', { url: '/api/%zz' }, [400, 'malformed-request']],
    ['no revision', { url: `/api/revisions/${REVISION}`, headers: AUTH }, [404, 'not-found']],
    ['no worker', { method: 'POST', url: '/api/workers/7/restart', headers: AUTH }, [404, 'not-found']],
  ]);
});

test('the console serves its own files and nothing else', async () => {
  const root = mkdtempSync(join(tmpdir(), 'console-'));
  after(() => rmSync(root, { recursive: true }));
  const dir = join(root, 'dist');
  mkdirSync(join(dir, 'assets'), { recursive: true });
  writeFileSync(join(root, 'secret.txt'), 'secret');
  writeFileSync(join(dir, 'index.html'), '<!doctype html>console');
  writeFileSync(join(dir, 'assets', 'app-1.js'), 'go()');
  writeFileSync(join(dir, '.env'), 'secret');
  symlinkSync(join(root, 'secret.txt'), join(dir, 'link.txt'));
  const { app } = await makeWorld({ consoleDir: dir });
  const none: Expected = [404, 'no-route'];
  const refused = [
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/assets/..%2f..%2fsecret.txt',
    '/..%5csecret.txt',
    '/%252e%252e/secret.txt',
    '/index.html%00.txt',
    '//etc/passwd',
    '/etc/passwd',
    '/link.txt',
    '/.env',
    '/assets',
    '/assets/',
    '/__proto__',
    '/constructor',
  ];
  await check(
    app,
    refused.map((url): Case => [url, { url }, none]),
  );
  await check(app, [
    ['index', { url: '/' }, [200]],
    ['asset', { url: '/assets/app-1.js' }, [200]],
  ]);
  const index = await app.inject({ url: '/', headers: { host: 'localhost' } });
  assert.equal(index.body, '<!doctype html>console');
  assert.doesNotMatch(String(index.headers['content-security-policy']), /unsafe/);
  const script = await app.inject({ url: '/assets/app-1.js', headers: { host: 'localhost' } });
  assert.equal(script.headers['content-type'], 'text/javascript; charset=utf-8');
});

test('without a console `/` is a plain page without scripts', async () => {
  for (const more of [{}, { consoleDir: '/no/such/folder' }]) {
    const { app } = await makeWorld(more);
    const page = await app.inject({ url: '/', headers: { host: '127.0.0.1:8090' } });
    assert.equal(page.statusCode, 200);
    assert.match(page.body, /\/api\/openapi\.json/);
    assert.doesNotMatch(page.body, /<script|style=|javascript:/);
  }
});

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
  assert.deepEqual(answer.json(), { revision: REVISION, outcome: 'activated' });
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

/** Sends bytes as they are; resolves with all that came back. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

test('over a socket, what is not HTTP or comes for two hosts is refused', async () => {
  const { app } = await makeWorld();
  await app.listen({ host: '127.0.0.1', port: 0 });
  const [address] = app.addresses();
  assert.ok(typeof address === 'object');
  const { port } = address;
  const cases: [string, string, RegExp][] = [
    ['not HTTP', 'nonsense\r\n\r\n', /^HTTP\/1\.1 400 [\s\S]*urn:sallyport:error:malformed-request/],
    ['no host', 'GET /healthz HTTP/1.0\r\n\r\n', /^HTTP\/1\.1 400 [\s\S]*urn:sallyport:error:bad-host/],
    [
      'two hosts',
      'GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
      /^HTTP\/1\.1 400 [\s\S]*urn:sallyport:error:bad-host/,
    ],
    [
      'huge head',
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 /,
    ],
    ['good', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 200 /],
  ];
  for (const [name, bytes, expected] of cases) assert.match(await exchange(port, bytes), expected, name);
});
