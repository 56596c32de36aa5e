import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readings, SPELLINGS } from './spellings.ts';
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
