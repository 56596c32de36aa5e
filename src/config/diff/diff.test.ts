import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { documentWith, type Members } from '../../../test/fixtures/config.ts';
import { type DocumentChange, diffDocuments } from './diff.ts';

const of = (before: Members, after: Members): readonly DocumentChange[] =>
  diffDocuments({ document: before }, { document: after });

/** `kind subject name` and each value as `path: before -> after`. */
function told(changes: readonly DocumentChange[]): string[] {
  return changes.flatMap(({ kind, subject, name, values, moved, was }) => [
    `${kind} ${subject} ${name}${moved === undefined ? '' : ` ${moved.from}>${moved.to}`}${was === undefined ? '' : ` was ${was}`}`,
    ...values.map((v) => `  ${v.path}: ${side('before', v)} -> ${side('after', v)}`),
  ]);
}

const side = (key: 'before' | 'after', value: DocumentChange['values'][number]): string =>
  key in value ? JSON.stringify(value[key]) : 'none';

const route = (name: string, more: Members = {}): Members => ({
  name,
  match: { path: `/${name}` },
  upstream: 'origin',
  ...more,
});
const policies = (...list: Members[]): Members => documentWith({}, { policies: list });
const A = { acl: { allow: { groups: ['a'] } } };
const KEY = { 'api-key': {} };
const LIMIT = { 'rate-limit': { limit: 10, window: '1m' } };

describe('the difference of two documents', () => {
  const cases: readonly (readonly [name: string, before: Members, after: Members, told: string[]])[] = [
    ['nothing', documentWith(), documentWith(), []],
    [
      'written in another order, and with defaults said',
      documentWith({ routes: [route('a'), route('b', { policies: [KEY] })], groups: ['x', 'y'] }),
      {
        ...documentWith({
          $schema: 'x.json',
          groups: ['y', 'x'],
          routes: [
            route('b', { policies: [{ mode: 'enforce', 'api-key': null, onError: 'reject' }] }),
            { name: 'a', upstream: 'origin', match: { paths: ['/a'] } },
          ],
          upstreams: { origin: { targets: [{ url: 'http://127.0.0.1:9000', weight: 1 }] } },
        }),
      },
      [],
    ],
    [
      'routes come, go and change',
      documentWith({
        routes: [route('a'), route('b'), route('c', { match: { path: '/c', methods: ['GET'] } })],
      }),
      documentWith({
        routes: [
          route('c', { match: { path: '/c', methods: ['GET', 'POST'] }, maxBody: '1MB' }),
          route('b', { upstream: 'other' }),
          route('d', { policies: [KEY] }),
        ],
      }),
      [
        'changed route c',
        '  match.methods: none -> "POST"',
        '  maxBody: none -> "1MB"',
        'changed route b',
        '  upstream: "origin" -> "other"',
        'added route d',
        '  match: none -> {"path":"/d"}',
        '  upstream: none -> "origin"',
        'added policy route:d/api-key',
        '  api-key: none -> {}',
        'removed route a',
        '  match: {"path":"/a"} -> none',
        '  upstream: "origin" -> none',
      ],
    ],
    [
      'a policy between others moves nobody',
      policies(KEY, LIMIT),
      policies(KEY, A, LIMIT),
      ['added policy route:all/acl', '  acl: none -> {"allow":{"groups":["a"]}}'],
    ],
    [
      'policies change places',
      policies(KEY, A, LIMIT),
      policies(A, LIMIT, KEY),
      ['moved policy route:all/api-key 0>2'],
    ],
    [
      'one moves and changes as well',
      policies(KEY, A, LIMIT),
      policies({ ...LIMIT, mode: 'shadow' }, KEY, A),
      ['changed policy route:all/rate-limit 2>0', '  mode: "enforce" -> "shadow"'],
    ],
    [
      'options, settings and members of lists',
      policies({
        acl: { allow: [{ groups: ['a', 'b'] }, { methods: ['GET'] }], deny: { groups: ['c'] } },
        owner: 'ann',
      }),
      policies({
        acl: { allow: [{ methods: ['GET'] }, { groups: ['b', 'd'] }] },
        owner: 'ben',
        when: 'true',
      }),
      [
        'changed policy route:all/acl',
        '  acl.allow[1].groups: "a" -> none',
        '  acl.allow[1].groups: none -> "d"',
        '  acl.deny: {"groups":["c"]} -> none',
        '  owner: "ann" -> "ben"',
        '  when: none -> "true"',
      ],
    ],
    [
      'the first of two goes: the other has another id now',
      policies(LIMIT, { 'rate-limit': { limit: 5, window: '1s' } }),
      policies({ 'rate-limit': { limit: 5, window: '1s' } }),
      [
        'changed policy route:all/rate-limit was route:all/rate-limit#2',
        'removed policy route:all/rate-limit',
        '  rate-limit: {"limit":10,"window":"1m"} -> none',
      ],
    ],
    [
      'names tell policies apart',
      policies({ ...LIMIT, name: 'one' }),
      policies({ ...LIMIT, name: 'two' }),
      [
        'added policy route:all/rate-limit@two',
        '  rate-limit: none -> {"limit":10,"window":"1m"}',
        '  name: none -> "two"',
        'removed policy route:all/rate-limit@one',
        '  rate-limit: {"limit":10,"window":"1m"} -> none',
        '  name: "one" -> none',
      ],
    ],
    [
      'order counts where it may',
      policies({ 'any-of': [KEY, { jwt: { issuer: 'https://a.example' } }] }),
      policies({ 'any-of': [{ jwt: { issuer: 'https://a.example' } }, KEY] }),
      [
        'changed policy route:all/any-of',
        '  any-of: [{"api-key":{}},{"jwt":{"issuer":"https://a.example"}}] -> [{"jwt":{"issuer":"https://a.example"}},{"api-key":{}}]',
      ],
    ],
    [
      'upstreams, lists, consumers, tests and settings',
      documentWith({
        groups: ['a'],
        lists: { drop: { source: 'https://feeds.example.net/a?key=1234' } },
        consumers: [{ name: 'app', groups: ['a'] }],
        tests: [{ name: 't', request: { path: '/' }, expect: { status: 401 } }],
      }),
      documentWith({
        upstreams: { origin: { targets: ['http://127.0.0.1:9000', 'http://127.0.0.1:9001'] } },
        lists: { drop: { source: 'https://feeds.example.net/b?key=1234' } },
        consumers: [{ name: 'app', groups: ['b'] }],
        tests: [{ name: 't', request: { path: '/' }, expect: { status: 403 } }],
        overload: 'off',
      }),
      [
        'changed upstream origin',
        '  targets: none -> "http://127.0.0.1:9001"',
        'changed list drop',
        '  source: "https://feeds.example.net/a?…" -> "https://feeds.example.net/b?…"',
        'changed consumer app',
        '  groups: "a" -> none',
        '  groups: none -> "b"',
        'removed setting groups',
        '  : ["a"] -> none',
        'changed test t',
        '  expect.status: 401 -> 403',
        'added setting overload',
        '  : none -> "off"',
      ],
    ],
    [
      'documents that are no longer understood',
      { sallyport: 0, routes: 'all', listeners: [7], upstreams: { a: null }, routez: [{ name: 'x' }] },
      { sallyport: 0, routes: {}, listeners: [8], upstreams: [], routez: [{ name: 'y' }] },
      [
        'removed upstream a',
        'changed setting routez',
        '  [0]: {"name":"x"} -> none',
        '  [0]: none -> {"name":"y"}',
      ],
    ],
  ];
  for (const [name, before, after, expected] of cases) {
    it(name, () => assert.deepEqual(told(of(before, after)), expected));
  }

  it('tells files whose content differs, where both are known', () => {
    const document = documentWith();
    const changes = diffDocuments(
      { document, files: { 'a.txt': '1', 'b.txt': '1', 'c.txt': '1' } },
      { document, files: { 'a.txt': '1', 'b.txt': '2', 'd.txt': '2' } },
    );
    assert.deepEqual(told(changes), ['changed file b.txt']);
  });

  it('says where each thing stands now', () => {
    const changes = of(
      documentWith({ routes: [route('gone'), route('a', { policies: [KEY] })] }),
      documentWith({ routes: [route('a', { policies: [A, { 'api-key': { header: 'x-k' } }] })] }),
    );
    assert.deepEqual(
      changes.map(({ path }) => path),
      ['routes[0].policies[0]', 'routes[0].policies[1]', 'routes[0]'],
    );
  });

  it('takes time by the size of the documents', () => {
    const many = (from: number): Members =>
      policies({ 'ip-list': { deny: Array.from({ length: 100_000 }, (_, i) => `list:${from + i}`) } });
    const started = performance.now();
    assert.equal(of(many(0), many(100_000))[0].values.length, 200_000);
    assert.ok(performance.now() - started < 5000);
  });
});

describe('what a difference never shows', () => {
  const SECRETS = ['2f9a8b7c6d5e4f3a', 'a1b2c3d4a1b2c3d4', 'c0ffee00c0ffee00'];
  const leaking = (secret: string): Members =>
    documentWith(
      {
        consumers: [
          {
            name: 'app',
            credentials: [
              { 'api-key': { hash: `sha256:${secret.repeat(4)}`, id: 'app-1' } },
              { mtls: { thumbprint: secret.repeat(3) } },
              { 'hmac-signature': { keyId: 'k', secret } },
            ],
          },
        ],
        lists: {
          drop: { source: `https://u:${secret}@feeds.example.net/`, headers: { 'x-api-key': secret } },
        },
        tests: [
          {
            name: 't',
            request: { path: `/a?api_key=${secret}`, headers: { authorization: secret } },
            expect: { status: 401 },
          },
        ],
        alerts: [{ webhook: { clientSecret: secret, secrets: [secret] } }],
      },
      {
        match: { path: '/**', headers: { 'x-auth-token': secret } },
        policies: [
          { headers: { request: { set: { cookie: `sid=${secret}`, 'x-v': `Bearer ${secret}` } } } },
          { 'api-key': {}, when: `request.headers["x-secret"] == "${secret}"` },
        ],
      },
    );
  const forms: readonly (readonly [name: string, before: Members, after: Members])[] = [
    ['changed', leaking(SECRETS[0]), leaking(SECRETS[1])],
    ['added', documentWith(), leaking(SECRETS[0])],
    ['removed', leaking(SECRETS[2]), { sallyport: 1 }],
  ];
  for (const [name, before, after] of forms) {
    it(`secrets and what credentials are recognised by, when ${name}`, () => {
      const changes = of(before, after);
      assert.ok(changes.length >= 5);
      for (const secret of SECRETS)
        assert.ok(!JSON.stringify(changes).includes(secret), JSON.stringify(changes));
    });
  }

  it('and still that they changed, and the names of references', () => {
    const changes = of(leaking(SECRETS[0]), leaking(SECRETS[1]));
    assert.ok(told(changes).some((line) => line.includes('"(hidden)" -> "(hidden)"')));
    const by = (reference: string): Members =>
      documentWith({ consumers: [{ name: 'app', credentials: [{ 'api-key': { secret: reference } }] }] });
    assert.deepEqual(told(of(by('env:OLD'), by('env:NEW'))), [
      'changed consumer app',
      '  credentials[0].api-key.secret: "env:OLD" -> "env:NEW"',
    ]);
  });
});
