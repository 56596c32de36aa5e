import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bundleDeps, documentWith, issuesOf, KEY, type Members, parsed } from '../../test/fixtures/config.ts';
import { createBundle, PolicyCatalog } from '../config/index.ts';
import { POLICIES } from '../policies/index.ts';
import { createLocalCounters } from '../state/index.ts';
import { runDocumentTests, testIssues } from './document-tests.ts';

const START_MS = Date.UTC(2026, 10, 23);

/** One listener with a ban, one route with everything a test can ask about. */
const DOCUMENT: Members = documentWith(
  {
    listeners: [
      {
        name: 'public',
        address: '127.0.0.1:8080',
        trustedProxies: ['10.0.0.0/8'],
        policies: [{ 'ip-list': { deny: ['203.0.113.0/24'] } }],
      },
      { name: 'bare', address: '127.0.0.1:8081' },
    ],
    consumers: [{ name: 'app', credentials: [{ 'api-key': { secret: 'env:KEY', expires: '2026-11-23' } }] }],
  },
  {
    name: 'orders',
    match: { path: '/orders/**', methods: ['GET', 'POST'], hosts: ['localhost', 'api.example.com'] },
    policies: [
      { 'api-key': {} },
      { 'rate-limit': { limit: 2, window: '1m', by: 'consumer' } },
      { validate: { body: { type: 'object', required: ['item'] } }, when: 'request.method == "POST"' },
      { 'ip-list': { deny: ['198.51.100.0/24'] }, mode: 'shadow' },
    ],
  },
);

const call = (request: Members, expect: Members): Members => ({
  request: { path: '/orders/1', headers: { 'x-api-key': 'env:KEY' }, ...request },
  expect,
});

const run = (...tests: Members[]) => runIn(DOCUMENT, tests);

async function runIn(under: Members, tests: readonly Members[]) {
  const named = tests.map((test, i) => ({ name: `test ${i}`, ...test }));
  const deps = { ...bundleDeps(), catalog: new PolicyCatalog(POLICIES) };
  const document = { ...under, tests: named };
  const { snapshot } = await createBundle(parsed(document), deps);
  assert.ok(deps.catalog.isDocument(document));
  const results = await runDocumentTests(snapshot, document.tests ?? [], {
    createState: createLocalCounters,
    secrets: deps.secrets,
    startMs: START_MS,
  });
  await snapshot.dispose();
  return results;
}

describe('a document’s test', () => {
  const noKey = { headers: {} };
  const holds: readonly [name: string, request: Members, expect: Members, decidedBy: string][] = [
    [
      'of a stranger',
      noKey,
      {
        forwarded: false,
        status: 401,
        policy: 'api-key',
        code: 'unauthenticated',
        rule: 'missing',
        route: 'orders',
        headers: { 'WWW-Authenticate': 'Key realm="api"' },
      },
      'route:orders/api-key',
    ],
    ['of a key from the environment', {}, { forwarded: true, route: 'orders' }, 'forwarded by route orders'],
    [
      'of the last of several requests',
      { repeat: 3 },
      { status: 429, policy: 'rate-limit', code: 'rate-limited' },
      'route:orders/rate-limit',
    ],
    [
      'of a body as JSON',
      { method: 'POST', body: { item: 'tea' } },
      { forwarded: true },
      'forwarded by route orders',
    ],
    [
      'of a body that is refused',
      { method: 'POST', body: { quantity: 1 } },
      { status: 400, policy: 'validate' },
      'route:orders/validate',
    ],
    [
      'of a body as text',
      {
        method: 'POST',
        body: '{"item":',
        headers: { 'x-api-key': 'env:KEY', 'content-type': 'application/json' },
      },
      { status: 400, policy: 'validate' },
      'route:orders/validate',
    ],
    [
      'of a banned client',
      { client: '203.0.113.9' },
      { status: 403, policy: 'ip-list', code: 'address-denied' },
      'listener:public/ip-list',
    ],
    [
      'of a client behind a trusted proxy',
      { client: '10.0.0.1', headers: { 'x-forwarded-for': '203.0.113.9' } },
      { policy: 'ip-list' },
      'listener:public/ip-list',
    ],
    [
      'of a client that claims a proxy',
      { client: '203.0.113.9', headers: { 'x-forwarded-for': '192.0.2.9' } },
      { policy: 'ip-list' },
      'listener:public/ip-list',
    ],
    [
      'of another listener',
      { client: '203.0.113.9', listener: 'bare' },
      { forwarded: true },
      'forwarded by route orders',
    ],
    [
      'of shadow, which never decides',
      { client: '198.51.100.1' },
      { forwarded: true },
      'forwarded by route orders',
    ],
    ['of no route', { path: '/nothing' }, { status: 404, code: 'no-route' }, 'the router'],
    ['of another host', { headers: { host: 'other.example.com' } }, { status: 404 }, 'the router'],
    [
      'of another method',
      { method: 'DELETE' },
      { status: 405, headers: { allow: 'GET, HEAD, POST' } },
      'the router',
    ],
    [
      'of a path that is refused early',
      { path: '/orders/..%2fadmin' },
      { status: 400, code: 'bad-path' },
      'the listener: path-encoded-slash',
    ],
  ];
  for (const [name, request, expect, decidedBy] of holds) {
    it(`${name} holds`, async () => {
      const [result] = await run(call(request, expect));
      assert.deepEqual(result.unmet, []);
      assert.equal(result.decidedBy, decidedBy);
    });
  }

  const fails: readonly [
    name: string,
    request: Members,
    expect: Members,
    what: string,
    expected: string,
    got: string,
  ][] = [
    ['status', noKey, { status: 403 }, 'status', '403', '401'],
    ['status of what was forwarded', {}, { status: 200 }, 'status', '200', 'none: the request was forwarded'],
    ['forwarded', noKey, { forwarded: true }, 'forwarded', 'true', 'false'],
    ['policy', noKey, { policy: 'acl' }, 'policy', 'acl', 'api-key'],
    ['policy of nobody', { path: '/nothing' }, { policy: 'acl' }, 'policy', 'acl', 'nothing'],
    ['rule', noKey, { rule: 'invalid' }, 'rule', 'invalid', 'missing'],
    ['code', noKey, { code: 'forbidden' }, 'code', 'forbidden', 'unauthenticated'],
    ['route', {}, { route: 'other' }, 'route', 'other', 'orders'],
    [
      'header',
      noKey,
      { headers: { 'www-authenticate': 'Bearer' } },
      'header www-authenticate',
      'Bearer',
      'Key realm="api"',
    ],
    ['header that is not there', noKey, { headers: { 'x-none': '' } }, 'header x-none', '', 'nothing'],
    [
      'secret',
      { headers: { 'x-api-key': 'env:NONE' } },
      { forwarded: true },
      'the request',
      'sendable',
      'the environment has no NONE',
    ],
    [
      'client',
      { client: 'localhost' },
      { forwarded: true },
      'the request',
      'sendable',
      'request.client: is not an IP address',
    ],
  ];
  for (const [name, request, expect, what, expected, got] of fails) {
    it(`fails on another ${name}`, async () => {
      const [{ unmet }] = await run(call(request, expect));
      assert.deepEqual(unmet, [{ step: undefined, what, expected, got }]);
    });
  }

  it('has counters of its own', async () => {
    const limited = call({ repeat: 2 }, { forwarded: true });
    const results = await run(limited, limited);
    assert.deepEqual(
      results.map((r) => r.unmet),
      [[], []],
    );
  });

  it('shares its counters and its time between steps', async () => {
    const [{ unmet }] = await run({
      steps: [
        { ...call({ repeat: 2 }, { forwarded: true }) },
        { ...call({}, { status: 429 }) },
        { ...call({}, { forwarded: true }), after: '1m' },
        { ...call({}, { status: 401, code: 'invalid-credential' }), after: '1d' },
      ],
    });
    assert.deepEqual(unmet, []);
  });

  it('has a time of its own', async () => {
    const hours = {
      acl: { allow: { times: [{ days: ['mon-fri'], from: '08:00', to: '18:00', zone: 'Europe/Berlin' }] } },
    };
    const under = documentWith({}, { policies: [hours] });
    const at = (time: string, status?: number): Members => ({
      at: time,
      request: { path: '/' },
      expect: status === undefined ? { forwarded: true } : { status },
    });
    const results = await runIn(under, [
      at('2026-12-24T07:30:00Z'),
      at('2026-12-24T06:59:00Z', 403),
      at('2026-12-24T12:00:00+01:00'),
      at('2026-12-26T12:00:00Z', 403),
      at('2026-12-24', 403),
      { at: '2026-12-24', steps: [{ request: { path: '/' }, after: '9h', expect: { forwarded: true } }] },
    ]);
    assert.deepEqual(
      results.flatMap(({ unmet }) => unmet),
      [],
    );
  });

  it('is refused on a day that no calendar has, and in another form', async () => {
    const faults = await issuesOf(() =>
      run(
        ...['2026-02-30', '24.12.2026', '2026-12-24T12:00:00'].map((at) => ({
          at,
          ...call({}, { status: 401 }),
        })),
      ),
    );
    assert.deepEqual(
      faults.map(({ path }) => path),
      ['tests[0].at', 'tests[1].at', 'tests[2].at'],
    );
  });

  it('says what the upstream answers, for rules that go by it', async () => {
    const count = { status: [401], codes: ['invalid-request'] };
    const limited = { 'rate-limit': { limit: 2, window: '1m', by: 'address', count } };
    const items = { validate: { body: { type: 'object', required: ['item'] } } };
    const under = documentWith({}, { policies: [limited, items] });
    const wrong = { request: { path: '/', method: 'POST', body: {} }, expect: { status: 400 } };
    const asked = { path: '/', method: 'POST', body: { item: 'tea' } };
    const on = { expect: { forwarded: true } };
    const [{ unmet }] = await runIn(under, [
      {
        steps: [
          { request: { ...asked, repeat: 5 }, answer: { status: 200 }, ...on },
          { request: { ...asked, repeat: 5 }, ...on },
          { request: asked, answer: { status: 401 }, ...on },
          // Refused by a policy, it has its answer already.
          { ...wrong, answer: { status: 200 } },
          { request: asked, answer: { status: 200 }, expect: { status: 429, code: 'rate-limited' } },
          { request: asked, after: '30s', answer: { status: 200 }, ...on },
        ],
      },
    ]);
    assert.deepEqual(unmet, []);
  });

  it('says which step failed', async () => {
    const results = await run({
      steps: [{ ...call({}, { forwarded: true }) }, { ...call({}, { status: 429 }) }],
    });
    assert.equal(results[0].unmet[0].step, 1);
    assert.deepEqual(
      testIssues(results).map((i) => i.path),
      ['tests[0].steps[1]'],
    );
  });

  it('never tells a secret', async () => {
    const results = await run(call({}, { status: 401 }), call(noKey, { rule: 'x' }));
    assert.equal(testIssues(results).length, 2);
    assert.doesNotMatch(JSON.stringify([results, testIssues(results)]), new RegExp(KEY));
  });
});

/** Who may do what, behind every way of asking who calls. */
const GUARDED: Members = documentWith({
  groups: ['staff'],
  consumers: [{ name: 'app', groups: ['partners'], credentials: [{ 'api-key': { secret: 'env:KEY' } }] }],
  routes: [
    route('key', [{ 'api-key': {} }, ACL()]),
    route('any', [
      {
        'any-of': [
          { 'all-of': [{ 'api-key': {} }, { 'api-key': { header: 'x-other' } }] },
          { 'api-key': {} },
        ],
      },
      ACL(),
    ]),
    route('shadow', [
      { 'api-key': {}, mode: 'shadow' },
      { ...ACL(), mode: 'shadow' },
    ]),
    route('open', [{ acl: { allow: { methods: ['GET'] } }, when: 'consumer == ""' }]),
  ],
});

function ACL(): Members {
  const staff = { groups: ['staff'], claims: { level: [3] } };
  return { acl: { allow: [{ consumers: ['app'] }, { scopes: ['orders.read'] }, staff] } };
}

function LIMIT(): Members {
  return { 'rate-limit': { limit: 1, window: '1m', by: 'consumer' } };
}

function route(name: string, policies: readonly Members[]): Members {
  return { name, match: { path: `/${name}` }, upstream: 'origin', policies };
}

describe('a test’s own caller', () => {
  const holds: readonly [name: string, path: string, identity: Members | undefined, expect: Members][] = [
    ['is nobody without one', '/key', undefined, { status: 401, policy: 'api-key' }],
    ['is let on by name', '/key', { consumer: 'app' }, { forwarded: true }],
    ['has no groups but its own', '/key', { consumer: 'other' }, { status: 403, policy: 'acl' }],
    ['has its scopes', '/key', { consumer: 'other', scopes: ['orders.read'] }, { forwarded: true }],
    [
      'lacks a scope',
      '/key',
      { consumer: 'other', scopes: ['orders.write'] },
      { status: 403, code: 'insufficient-scope' },
    ],
    [
      'has its groups and claims',
      '/key',
      { consumer: 'ann', groups: ['staff'], claims: { level: 3 } },
      { forwarded: true },
    ],
    ['lacks a claim', '/key', { consumer: 'ann', groups: ['staff'] }, { status: 403, policy: 'acl' }],
    ['stands for several ways of proving it', '/any', { consumer: 'app' }, { forwarded: true }],
    ['is held by what comes behind them', '/any', { consumer: 'other' }, { status: 403, policy: 'acl' }],
    [
      'proves nothing in enforce where only shadow asks',
      '/shadow',
      { consumer: 'other' },
      { forwarded: true },
    ],
    ['is nobody where no policy asks who calls', '/open', { consumer: 'app' }, { forwarded: true }],
  ];
  for (const [name, path, identity, expect] of holds) {
    it(name, async () => {
      const request = identity === undefined ? { path } : { path, identity };
      const [result] = await runIn(GUARDED, [{ request, expect }]);
      assert.deepEqual(result.unmet, []);
    });
  }

  it('is counted as the consumer it is', async () => {
    const limited = documentWith({}, { policies: [{ 'api-key': {} }, LIMIT()] });
    const as = (consumer: string) => ({ path: '/', identity: { consumer } });
    const steps = [
      { request: as('ann'), expect: { forwarded: true } },
      { request: as('ben'), expect: { forwarded: true } },
      { request: as('ann'), expect: { status: 429 } },
    ];
    const [{ unmet }] = await runIn(limited, [{ steps }]);
    assert.deepEqual(unmet, []);
  });

  it('has to have a name', async () => {
    const { catalog } = bundleDeps();
    const withIdentity = (identity: unknown) => ({
      ...DOCUMENT,
      tests: [{ name: 'x', request: { path: '/', identity }, expect: { forwarded: true } }],
    });
    assert.equal(catalog.isDocument(withIdentity({ consumer: 'app' })), true);
    for (const wrong of [{}, { consumer: '' }, { consumer: 'a', group: ['b'] }, 'app'])
      assert.equal(catalog.isDocument(withIdentity(wrong)), false);
  });
});
