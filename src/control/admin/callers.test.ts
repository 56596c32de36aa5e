import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { AUTH, type Case, check, type Expected, makeWorld, TOKEN } from '../../../test/fixtures/admin.ts';
import { makeCallers, NOW } from '../../../test/fixtures/callers.ts';
import { openSqliteStore } from '../../store/index.ts';

const JSON_AUTH = { ...AUTH, 'content-type': 'application/json' };
const DAY = 86_400_000;

async function world() {
  const own = openSqliteStore(':memory:');
  const store = () => own;
  const made = await makeCallers({ store });
  made.declare([{ name: 'declared', groups: ['g'], credentials: [{ 'api-key': { secret: 'env:A' } }] }]);
  const { app } = await makeWorld({ store, callers: made.callers });
  return { ...made, app };
}

const post = (url: string, body: unknown, method: 'POST' | 'PATCH' = 'POST'): InjectOptions => ({
  method,
  url,
  payload: typeof body === 'string' ? body : JSON.stringify(body),
  headers: JSON_AUTH,
});

async function send(app: FastifyInstance, request: InjectOptions, status: number) {
  const headers = { host: 'localhost', ...AUTH, ...request.headers };
  const answer = await app.inject({ ...request, headers });
  assert.equal(answer.statusCode, status, answer.body);
  return answer.body === '' ? undefined : answer.json();
}

const CHANGES: readonly InjectOptions[] = [
  post('/api/consumers', { name: 'app' }),
  post('/api/consumers/declared', {}, 'PATCH'),
  { method: 'DELETE', url: '/api/consumers/declared' },
  post('/api/consumers/declared/disable', {}),
  post('/api/consumers/declared/enable', {}),
  post('/api/credentials', { consumer: 'declared', kind: 'api-key' }),
  post('/api/credentials/declared-1/rotate', {}),
  post('/api/credentials/declared-1/revoke', {}),
  post('/api/credentials/declared-1/restore', {}),
  post('/api/revocations/tokens', { issuer: 'i', id: 'j', until: '2030-01-01T00:00:00Z' }),
];
const READS = [
  '/api/consumers',
  '/api/consumers/declared',
  '/api/credentials',
  '/api/credentials/declared-1',
  '/api/revocations',
];

test('without the token nobody is told of, and nothing is changed', async () => {
  const { app, spread, store } = await world();
  const requests = [...CHANGES, ...READS.map((url): InjectOptions => ({ url }))];
  const wrong = { authorization: `Bearer ${TOKEN}x` };
  await check(
    app,
    requests.flatMap((request, i): Case[] => {
      const { authorization: _, ...headers } = { authorization: '', ...request.headers };
      const name = `${request.method} ${String(request.url)}`;
      return [
        [name, { ...request, headers }, [401, 'unauthenticated']],
        [name, { ...request, headers: { ...headers, ...wrong }, remoteAddress: `10.1.0.${i}` }, [401]],
      ];
    }),
  );
  assert.deepEqual(spread, []);
  assert.deepEqual(await store.listAudit({ limit: 1 }), []);
});

test('pages of other origins change nothing', async () => {
  const { app, spread } = await world();
  const headers = { ...JSON_AUTH, origin: 'http://evil.example' };
  await check(
    app,
    CHANGES.map((request): Case => [String(request.url), { ...request, headers }, [403, 'origin-denied']]),
  );
  assert.deepEqual(spread, []);
});

test('what is no JSON object of the form is refused', async () => {
  const { app, store } = await world();
  const invalid: Expected = [400, 'invalid-request'];
  const malformed: Expected = [400, 'malformed-request'];
  const bodies: [string, string, Expected][] = [
    ['/api/consumers', '{}', invalid],
    ['/api/consumers', '[]', invalid],
    ['/api/consumers', '"app"', invalid],
    ['/api/consumers', '{"name":""}', invalid],
    ['/api/consumers', '{"name":"a b"}', invalid],
    ['/api/consumers', '{"name":"a\\nb"}', invalid],
    ['/api/consumers', '{"name":"../a"}', invalid],
    ['/api/consumers', `{"name":"${'a'.repeat(101)}"}`, invalid],
    ['/api/consumers', '{"name":"a","groups":["g\\nadmins"]}', invalid],
    ['/api/consumers', '{"name":"a","groups":["g","g"]}', invalid],
    ['/api/consumers', '{"name":"a","admin":true}', invalid],
    ['/api/consumers', '{"name":"a","__proto__":{"groups":["admins"]}}', malformed],
    ['/api/consumers', '{"name":"a","name":"b"}', malformed],
    ['/api/consumers', '{"name":"a"', malformed],
    ['/api/consumers', `{"name":${'['.repeat(50)}${']'.repeat(50)}}`, malformed],
    ['/api/credentials', '{"consumer":"declared"}', invalid],
    ['/api/credentials', '{"consumer":"declared","kind":"jwt"}', invalid],
    ['/api/credentials', '{"consumer":"declared","kind":"api-key","secret":"mine"}', invalid],
    ['/api/credentials', '{"consumer":"declared","kind":"api-key","expiresAt":"tomorrow"}', invalid],
    [
      '/api/credentials',
      '{"consumer":"declared","kind":"api-key","expiresAt":"2020-01-01T00:00:00Z"}',
      invalid,
    ],
    ['/api/credentials', '{"consumer":"declared","kind":"basic-auth","username":"a:b"}', invalid],
    ['/api/credentials/declared-1/rotate', '{"overlap":"forever"}', invalid],
    ['/api/credentials/declared-1/revoke', `{"reason":"${'x'.repeat(501)}"}`, invalid],
    ['/api/revocations/tokens', '{"issuer":"i","id":"j"}', invalid],
    ['/api/revocations/tokens', '{"issuer":"","id":"j","until":"2030-01-01T00:00:00Z"}', invalid],
    ['/api/revocations/tokens', '{"issuer":"i","id":"j","until":"2020-01-01T00:00:00Z"}', invalid],
  ];
  await check(
    app,
    bodies.map(([url, body, expected]): Case => [`${url} ${body.slice(0, 60)}`, post(url, body), expected]),
  );
  await check(app, [
    [
      'YAML',
      { ...post('/api/consumers', 'name: a'), headers: { ...AUTH, 'content-type': 'application/yaml' } },
      [415],
    ],
    ['too large', post('/api/consumers', `{"name":"${'a'.repeat(70_000)}"}`), [413, 'payload-too-large']],
    ['no JSON type', { ...post('/api/consumers', '{}'), headers: AUTH }, [415]],
    ['query', { url: '/api/consumers?name=a', headers: AUTH }, invalid],
    ['limit', { url: '/api/credentials?limit=1001', headers: AUTH }, invalid],
    ['name', { url: '/api/consumers/..%2f..%2fetc', headers: AUTH }, invalid],
    ['line end in a name', { url: '/api/consumers/a%0ab', headers: AUTH }, invalid],
    ['id', { url: '/api/credentials/a%2fb', headers: AUTH }, invalid],
  ]);
  assert.deepEqual(await store.listAudit({ limit: 1 }), []);
});

test('what is not there, and what is there already, is told as such', async () => {
  const { app } = await world();
  await check(app, [
    ['consumer', { url: '/api/consumers/nobody', headers: AUTH }, [404, 'not-found']],
    ['credential', { url: '/api/credentials/cr-0000000000000000', headers: AUTH }, [404, 'not-found']],
    ['of nobody', post('/api/credentials', { consumer: 'nobody', kind: 'api-key' }), [404, 'not-found']],
    ['declared', post('/api/consumers', { name: 'declared' }), [409, 'conflict']],
    ['change', post('/api/consumers/declared', { groups: ['admins'] }, 'PATCH'), [409, 'conflict']],
    ['delete', { method: 'DELETE', url: '/api/consumers/declared', headers: AUTH }, [409, 'conflict']],
    ['rotate', post('/api/credentials/declared-1/rotate', {}), [409, 'conflict']],
  ]);
});

test('without a usable store all of it is 503', async () => {
  const store = () => undefined;
  const { callers } = await makeCallers({ store });
  const { app } = await makeWorld({ store, callers });
  const requests = [...CHANGES, ...READS.map((url): InjectOptions => ({ url }))];
  await check(
    app,
    requests.map(
      (request): Case => [
        `${request.method} ${String(request.url)}`,
        { ...request, headers: { ...AUTH, ...request.headers } },
        [503, 'store-unavailable'],
      ],
    ),
  );
});

test('a consumer is made, changed, switched and deleted', async () => {
  const { app } = await world();
  const made = await send(app, post('/api/consumers', { name: 'app', id: 'x', groups: ['g'] }), 201);
  const expected = {
    name: 'app',
    id: 'x',
    groups: ['g'],
    origin: 'live',
    disabled: false,
    createdAt: new Date(NOW).toISOString(),
    createdBy: 'admin',
  };
  assert.deepEqual(made, expected);
  assert.deepEqual(await send(app, { url: '/api/consumers/app' }, 200), expected);
  const changed = await send(app, post('/api/consumers/app', { id: null, groups: [] }, 'PATCH'), 200);
  assert.deepEqual([changed.id, changed.groups], [null, []]);
  assert.equal((await send(app, post('/api/consumers/app/disable', { reason: 'left' }), 200)).disabled, true);
  assert.equal((await send(app, { method: 'POST', url: '/api/consumers/app/enable' }, 200)).disabled, false);
  const page = await send(app, { url: '/api/consumers?limit=1' }, 200);
  assert.deepEqual([page.consumers[0].name, page.next], ['app', 'app']);
  const rest = await send(app, { url: '/api/consumers?after=app' }, 200);
  assert.deepEqual(
    [rest.consumers[0].name, rest.consumers[0].origin, rest.next],
    ['declared', 'document', null],
  );
  await send(app, { method: 'DELETE', url: '/api/consumers/app' }, 204);
  await send(app, { url: '/api/consumers/app' }, 404);
});

test('a secret is in the one answer that made it, and nowhere else', async () => {
  const { app, store } = await world();
  const secrets: string[] = [];
  const ids: string[] = [];
  const take = ({ credential, secret }: { credential: { id: string }; secret: string }) => {
    secrets.push(secret);
    ids.push(credential.id);
  };
  for (const kind of ['api-key', 'basic-auth', 'hmac-signature']) {
    const expiresAt = new Date(NOW + DAY).toISOString();
    take(await send(app, post('/api/credentials', { consumer: 'declared', kind, expiresAt }), 201));
  }
  take(await send(app, post(`/api/credentials/${ids[0]}/rotate`, { overlap: '1h' }), 201));
  await send(app, post(`/api/credentials/${ids[2]}/revoke`, { reason: 'lost' }), 200);
  const told = [
    await send(app, { url: '/api/credentials' }, 200),
    await send(app, { url: `/api/credentials/${ids[0]}` }, 200),
    await send(app, { url: '/api/consumers' }, 200),
    await send(app, { url: '/api/audit' }, 200),
    await store.consumers.listCredentials({ limit: 99, before: undefined, consumer: undefined }),
  ];
  assert.equal(new Set(secrets).size, 4);
  for (const secret of secrets) {
    assert.match(secret, /^sp[kps]_\w{49}$/);
    assert.ok(!JSON.stringify(told).includes(secret.slice(12)), secret);
  }
  assert.deepEqual(
    told[0].credentials.map(({ id, state }: { id: string; state: string }) => [id, state]),
    [
      ['declared-1', 'active'],
      [ids[3], 'active'],
      [ids[2], 'revoked'],
      [ids[1], 'active'],
      [ids[0], 'active'],
    ],
  );
  assert.equal(told[1].expiresAt, new Date(NOW + 3_600_000).toISOString());
  assert.equal(told[1].successor, ids[3]);
});

test('a token is revoked, and listed with what else was taken back', async () => {
  const { app, worker } = await world();
  const until = new Date(NOW + DAY).toISOString();
  const token = { issuer: 'https://issuer.example', id: 'jti-1', until, reason: 'stolen' };
  const made = await send(app, post('/api/revocations/tokens', token), 201);
  const at = new Date(NOW).toISOString();
  const entry = {
    kind: 'token',
    issuer: token.issuer,
    subject: 'jti-1',
    at,
    by: 'admin',
    reason: 'stolen',
    until,
  };
  assert.deepEqual(made, entry);
  assert.equal(worker.revocations.hasToken(token.issuer, 'jti-1'), true);
  await send(app, post('/api/credentials/declared-1/revoke', {}), 200);
  const { revocations } = await send(app, { url: '/api/revocations' }, 200);
  assert.deepEqual(revocations[0], entry);
  assert.deepEqual(
    [revocations[1].subject, revocations[1].issuer, revocations[1].until],
    ['declared-1', null, null],
  );
  await send(app, post('/api/credentials/declared-1/restore', {}), 200);
  assert.equal((await send(app, { url: '/api/revocations' }, 200)).revocations.length, 1);
});

test('all of it stands in the OpenAPI document', async () => {
  const { app } = await world();
  const { paths } = await send(app, { url: '/api/openapi.json' }, 200);
  const expected = [
    ...[
      '/api/consumers',
      '/api/consumers/{name}',
      '/api/consumers/{name}/disable',
      '/api/consumers/{name}/enable',
    ],
    ...[
      '/api/credentials',
      '/api/credentials/{id}',
      '/api/credentials/{id}/rotate',
      '/api/credentials/{id}/revoke',
    ],
    ...['/api/credentials/{id}/restore', '/api/revocations', '/api/revocations/tokens'],
  ];
  for (const path of expected) assert.ok(path in paths, path);
  const { requestBody } = paths['/api/credentials'].post;
  assert.ok('application/json' in requestBody.content);
});
