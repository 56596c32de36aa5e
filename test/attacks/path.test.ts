import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Stage } from './stage.ts';

/** Item 20: no spelling of a protected path gets past its rule, and the path that was matched is the path forwarded. */

const HOST = 'Host: a.test\r\n';
const DENY_ALL = [{ 'ip-list': { allow: ['203.0.113.1'] } }];

let stage: Stage;
before(async () => {
  stage = await Stage.open({
    routes: [
      { name: 'admin', match: { path: '/admin/**' }, upstream: 'origin', policies: DENY_ALL },
      { name: 'admin-itself', match: { path: '/admin' }, upstream: 'origin', policies: DENY_ALL },
      { name: 'public', match: { path: '/**' }, upstream: 'origin', policies: [] },
    ],
  });
});
after(() => stage.close());

/**
 * How servers commonly read a path: decoded once or twice, backslashes as slashes, path parameters cut away, slashes
 * merged, dots resolved, case folded. A forwarded path none of these readings takes to /admin is harmless.
 */
function readings(path: string): string[] {
  const decoded = [path, decode(path), decode(decode(path))];
  return decoded
    .flatMap((p) => [p, p.replaceAll('\\', '/')])
    .flatMap((p) => [resolve(p), resolve(p.replace(/;[^/]*/g, ''))]);
}

function decode(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function resolve(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  return `/${kept.join('/')}`;
}

const SPELLINGS = [
  '/admin',
  '/admin/',
  '/admin/users',
  '//admin/users',
  '///admin///users',
  '/./admin/users',
  '/.//admin/users',
  '/x/../admin/users',
  '/x/y/../../admin/users',
  '/x/..//admin/users',
  '/admin/./users',
  '/admin/../admin/users',
  '/%61dmin/users',
  '/%61%64%6d%69%6e/users',
  '/%2561dmin/users',
  '/admin%2fusers',
  '/admin%2Fusers',
  '/%2fadmin/users',
  '/x%2f..%2fadmin/users',
  '/x/%2e%2e/admin/users',
  '/x/%2E%2E/admin/users',
  '/x/.%2e/admin/users',
  '/x/%2e./admin/users',
  '/%2e/admin/users',
  '/x/%252e%252e/admin/users',
  '/x/..;/admin/users',
  '/x/..;a=b/admin/users',
  '/;/admin/users',
  '/;a=b/admin/users',
  '/admin;/users',
  '/admin;a=b/users',
  '/x/..%3b/admin/users',
  '/x/..%3B/admin/users',
  '\\admin\\users',
  '/\\admin/users',
  '/x\\..\\admin\\users',
  '/x/..\\admin/users',
  '/admin\\users',
  '/%5cadmin/users',
  '/x%5c..%5cadmin%5cusers',
  '/admin%5cusers',
  '/admin%00/users',
  '/admin%00.html',
  '/admin%20/users',
  '/admin%09',
  '/admin%0a',
  '/admin%0d%0a',
  '/admin%23',
  '/admin%3f',
  '/admin?x',
  '/admin/?x',
  '/admin#x',
  '/admin%c0%afusers',
  '/%c0%ae%c0%ae/admin/users',
  '/x/%e0%80%ae%e0%80%ae/admin/users',
  '/admin%ef%bc%8fusers',
  '/%u0061dmin/users',
  '/admin%',
  '/admin%2',
  '/admin%zz',
  '/admin.',
  '/admin/.',
  '/admin/..',
  '/..',
  '/../admin/users',
  '/../../../../admin/users',
  'http://a.test/admin/users',
  'http://a.test//admin/users',
  'http://a.test/x/../admin/users',
  'HTTP://A.TEST/admin/users',
];

describe('item 20: no spelling of /admin reaches the upstream', () => {
  for (const target of SPELLINGS) {
    test(JSON.stringify(target), async () => {
      const outcome = await stage.send(`GET ${target} HTTP/1.1\r\n${HOST}\r\n`);
      assert.ok(outcome.statuses.length === 1, `${outcome.statuses}`);
      for (const request of outcome.forwarded) {
        const path = request.startLine.split(' ')[1].split('?')[0];
        const reached = readings(path).filter((p) => p === '/admin' || p.startsWith('/admin/'));
        assert.deepEqual(reached, [], `forwarded as ${path}`);
      }
    });
  }

  for (const header of ['X-Original-URL', 'X-Rewrite-URL', 'X-Forwarded-Prefix', 'X-Original-Host']) {
    test(`${header} is not handed on`, async () => {
      const outcome = await stage.send(`GET /x HTTP/1.1\r\n${HOST}${header}: /admin/users\r\n\r\n`);
      assert.ok(!outcome.bytes.toLowerCase().includes(header.toLowerCase()));
      assert.deepEqual(outcome.statuses, [200]);
    });
  }

  for (const host of ['a.test.', 'A.TEST', 'a.test:80', 'A.Test.:8080']) {
    test(`Host ${host} changes nothing`, async () => {
      const outcome = await stage.send(`GET /admin/users HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      assert.deepEqual(outcome.statuses, [403]);
      assert.deepEqual(outcome.forwarded, []);
    });
  }

  for (const method of ['HEAD', 'OPTIONS', 'POST', 'DELETE', 'PROPFIND', 'TRACE', 'get']) {
    test(`nor with the method ${method}`, async () => {
      const outcome = await stage.send(`${method} /admin/users HTTP/1.1\r\n${HOST}\r\n`, {
        methods: [method],
      });
      assert.notEqual(outcome.statuses[0], 200);
      assert.deepEqual(outcome.forwarded, []);
    });
  }

  for (const override of ['X-HTTP-Method-Override: GET', 'X-HTTP-Method: GET', 'X-Method-Override: GET']) {
    test(`nor with ${override}`, async () => {
      const outcome = await stage.send(
        `POST /admin/users HTTP/1.1\r\n${HOST}${override}\r\nContent-Length: 0\r\n\r\n`,
      );
      assert.deepEqual(outcome.statuses, [400]);
      assert.deepEqual(outcome.forwarded, []);
    });
  }
});

const HOST_ROUTES = [
  { name: 'inside', match: { hosts: ['admin.test'], path: '/**' }, upstream: 'origin', policies: DENY_ALL },
  { name: 'outside', match: { path: '/**' }, upstream: 'origin', policies: [] },
];

describe('item 20: the rule of a host holds for every spelling of it', () => {
  let hosts: Stage;
  before(async () => {
    hosts = await Stage.open({ routes: HOST_ROUTES });
  });
  after(() => hosts.close());

  for (const host of [
    'admin.test',
    'ADMIN.TEST',
    'admin.test.',
    'Admin.Test.',
    'admin.test:80',
    'admin.test.:443',
  ]) {
    test(host, async () => {
      const outcome = await hosts.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      assert.deepEqual(outcome.forwarded, []);
      assert.ok([400, 403].includes(outcome.statuses[0]), `${outcome.statuses}`);
    });
  }

  test('and for absolute-form', async () => {
    const outcome = await hosts.send('GET http://admin.test/ HTTP/1.1\r\nHost: admin.test\r\n\r\n');
    assert.deepEqual(outcome.statuses, [403]);
  });
});

const FORWARDED: readonly (readonly [sent: string, forwarded: string])[] = [
  ['/a/b', '/a/b'],
  ['/a//b', '/a/b'],
  ['/a/./b/../c', '/a/c'],
  ['/caf%C3%A9', '/caf%C3%A9'],
  ['/a%20b?c=%2e%2e/%2f', '/a%20b?c=%2e%2e/%2f'],
  ['/%7Euser', '/~user'],
];

describe('item 20: the matched path is the forwarded path', () => {
  for (const [sent, expected] of FORWARDED) {
    test(`${sent} is forwarded as ${expected}`, async () => {
      const outcome = await stage.send(`GET ${sent} HTTP/1.1\r\n${HOST}\r\n`);
      assert.equal(outcome.forwarded.length, 1, `${outcome.statuses}`);
      assert.equal(outcome.forwarded[0].startLine, `GET ${expected} HTTP/1.1`);
    });
  }
});
