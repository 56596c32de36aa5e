import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { InjectOptions } from 'fastify';
import {
  AUTH,
  type Case,
  check,
  type Expected,
  makeWorld,
  REVISION,
  TOKEN,
  YAML,
} from '../../../test/fixtures/admin.ts';

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
  const answer = await app.inject({ url: '/api/openapi.json', headers: { ...AUTH, host: 'localhost:8090' } });
  const open = Object.keys(answer.json().paths).filter((path) => !path.startsWith('/api/'));
  assert.deepEqual(open.sort(), ['/healthz', '/metrics', '/readyz']);
});

test('metrics need the token where others can reach them', async () => {
  const { app } = await makeWorld({ host: '0.0.0.0' });
  await check(app, [
    ['stranger', { url: '/metrics' }, [401, 'unauthenticated']],
    ['scraper', { url: '/metrics', headers: AUTH }, [200]],
    ['probe', { url: '/readyz' }, [200]],
  ]);
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
    ['a slip of the owner afterwards', wrong[1], wrong[2]],
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
