import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  bundleDeps,
  documentWith,
  issuesOf,
  type Members,
  parsed,
  probePolicies,
} from '../../../test/fixtures/config.ts';
import { createBundle } from '../bundle.ts';

const listener = (more: Members) => ({ listeners: [{ name: 'public', address: '127.0.0.1:8080', ...more }] });
const policies = (...items: unknown[]) => documentWith({}, { policies: items });
const upstream = (more: Members) => ({ upstreams: { origin: { targets: ['http://a:1'], ...more } } });
const twoRoutes = (one: Members, other: Members) =>
  documentWith({
    routes: [
      { name: 'a', match: { path: '/x' }, upstream: 'origin', ...one },
      { name: 'b', match: { path: '/y' }, upstream: 'origin', ...other },
    ],
  });
const consumers = (...credentials: unknown[]) => ({ consumers: [{ name: 'app', credentials }] });

describe('a document is refused for', () => {
  const cases: readonly [name: string, document: unknown, fault: string, suggestion?: string][] = [
    ['another version', documentWith({ sallyport: 2 }), 'sallyport: must be 1'],
    ['no listeners', documentWith({ listeners: [] }), 'listeners: must not be empty'],
    ['an unknown key', documentWith({ route: [] }), 'route: unknown key "route"'],
    ['a later section', documentWith({ alerts: [] }), 'alerts: unknown key "alerts"'],
    [
      'a misspelt policy',
      policies({ 'rate-limt': { limit: 1 } }),
      'routes[0].policies[0].rate-limt: unknown policy "rate-limt"',
      'did you mean "rate-limit"?',
    ],
    [
      'another gateway’s policy',
      policies({ 'key-auth': {} }),
      'routes[0].policies[0].key-auth: unknown policy "key-auth"',
      'did you mean "api-key"?',
    ],
    [
      'a misspelt setting',
      policies({ mark: {}, mdoe: 'shadow' }),
      'routes[0].policies[0].mdoe: unknown key "mdoe"',
      'did you mean "mode"?',
    ],
    [
      'a misspelt key of a config',
      policies({ mark: { windw: '1m' } }),
      'routes[0].policies[0].mark.windw: unknown key "windw"',
      'did you mean "window"?',
    ],
    [
      'a wrong value in a config',
      policies({ mark: { n: 'x' } }),
      'routes[0].policies[0].mark.n: must be an integer',
    ],
    [
      'two policies in one item',
      policies({ mark: {}, login: {} }),
      'routes[0].policies[0]: names "mark" and "login"; one item attaches one policy',
      'write one item for each',
    ],
    ['an item without a policy', policies({ mode: 'shadow' }), 'routes[0].policies[0]: names no policy'],
    ['a policy as text', policies('mark'), 'routes[0].policies[0]: must be an object', 'write "mark: {}"'],
    [
      'an inherited name as a policy',
      policies({ constructor: {} }),
      'routes[0].policies[0].constructor: unknown policy "constructor"',
    ],
    [
      'an unknown mode',
      policies({ mark: {}, mode: 'enforced' }),
      'routes[0].policies[0].mode: must be one of "enforce", "shadow", "off"',
      'did you mean "enforce"?',
    ],
    [
      'a wrong condition',
      policies({ mark: {}, when: 'request.methd == "GET"' }),
      'routes[0].policies[0].when: *',
      'did you mean "method"?',
    ],
    [
      'one name for two attachments',
      policies({ mark: {}, name: 'x' }, { mark: {}, name: 'x' }),
      'routes[0].policies[1].name: the name "x" is used twice here',
    ],
    [
      'two listeners of one name',
      documentWith({
        listeners: [
          { name: 'a', address: '[::1]:1' },
          { name: 'a', address: '[::1]:2' },
        ],
      }),
      'listeners[1].name: "a" is already the name of listeners[0]',
    ],
    [
      'two listeners on one address',
      documentWith({
        listeners: [
          { name: 'a', address: '[::1]:1' },
          { name: 'b', address: '[::1]:1' },
        ],
      }),
      'listeners[1].address: "[::1]:1" is already the address of listeners[0]',
    ],
    [
      'two routes of one name',
      twoRoutes({}, { name: 'a' }),
      'routes[1].name: "a" is already the name of routes[0]',
    ],
    [
      'two routes of one match',
      twoRoutes({}, { match: { path: '/x' } }),
      'routes[1].match: routes "a" and "b" both match any host /x',
    ],
    [
      'an unknown upstream',
      documentWith({}, { upstream: 'orgin' }),
      'routes[0].upstream: no upstream is named "orgin"',
      'did you mean "origin"?',
    ],
    [
      'an inherited name as an upstream',
      documentWith({}, { upstream: 'toString' }),
      'routes[0].upstream: no upstream is named "toString"',
    ],
    [
      'an unknown listener',
      documentWith({}, { listeners: ['publc'] }),
      'routes[0].listeners[0]: no listener is named "publc"',
      'did you mean "public"?',
    ],
    [
      'a route without a path',
      documentWith({}, { match: {} }),
      'routes[0].match: is missing the key "path" (or "paths")',
    ],
    [
      'a route with path and paths',
      documentWith({}, { match: { path: '/', paths: ['/'] } }),
      'routes[0].match: has both "path" and "paths"',
    ],
    [
      'a bad pattern',
      documentWith({}, { match: { path: '/a/**/b' } }),
      'routes[0].match.path: "**" is only allowed at the end',
    ],
    [
      'a pattern nobody can match',
      documentWith({}, { match: { paths: ['/ok', '/a//b'] } }),
      'routes[0].match.paths[1]: no request can match it: paths are normalised first',
      'write /a/b',
    ],
    [
      'a header named twice',
      documentWith({}, { match: { path: '/', headers: { 'X-A': '1', 'x-a': '2' } } }),
      'routes[0].match.headers.x-a: occurs twice, without regard to case',
    ],
    [
      'a method in small letters',
      documentWith({}, { match: { path: '/', methods: ['get'] } }),
      'routes[0].match.methods[0]: must be an HTTP method in capitals, like GET',
    ],
    [
      'a duration without a unit',
      documentWith(listener({ limits: { idleTimeout: 60 } })),
      'listeners[0].limits.idleTimeout: must be a duration, *',
    ],
    [
      'a duration of nothing',
      documentWith(listener({ limits: { idleTimeout: '0s' } })),
      'listeners[0].limits.idleTimeout: must be longer than 0 and at most 24d',
    ],
    [
      'a duration no timer can hold',
      documentWith(upstream({ timeouts: { response: '25d' } })),
      'upstreams.origin.timeouts.response: must be longer than 0 and at most 24d',
    ],
    ['a size without a unit', documentWith({}, { maxBody: '10' }), 'routes[0].maxBody: must be a size, *'],
    [
      'a target larger than its head',
      documentWith(listener({ limits: { headerBytes: '4kB', targetBytes: '8kB' } })),
      'listeners[0].limits.targetBytes: *',
    ],
    [
      'a limit of no connections',
      documentWith(listener({ limits: { newConnections: 0 } })),
      'listeners[0].limits.newConnections: *',
    ],
    [
      'a lag that an idle loop has',
      documentWith({ overload: { lag: '4ms' } }),
      'overload.lag: must be between 5ms and 10s',
    ],
    [
      'a lag nobody waits for',
      documentWith({ overload: { lag: '11s' } }),
      'overload.lag: must be between 5ms and 10s',
    ],
    [
      'less than a second to wait',
      documentWith({ overload: { retryAfter: '999ms' } }),
      'overload.retryAfter: must be between 1s and 1h',
    ],
    ['more memory than there is', documentWith({ overload: { memory: '101%' } }), 'overload.memory: *'],
    ['no memory', documentWith({ overload: { memory: '0%' } }), 'overload.memory: *'],
    [
      'memory no process has',
      documentWith({ overload: { memory: '512kB' } }),
      'overload.memory: must be at least 1MB',
    ],
    [
      'an address without a port',
      documentWith(listener({ address: '0.0.0.0' })),
      'listeners[0].address: must be an address and a port, like 0.0.0.0:8080 or [::]:8080',
    ],
    [
      'an address that is none',
      documentWith(listener({ address: '999.0.0.1:80' })),
      'listeners[0].address: is neither an IP address nor a host name before the port',
    ],
    [
      'a port that is none',
      documentWith(listener({ address: '0.0.0.0:70000' })),
      'listeners[0].address: has a port above 65535',
    ],
    [
      'a network with host bits',
      documentWith(listener({ trustedProxies: ['10.0.0.1/8'] })),
      'listeners[0].trustedProxies[0]: *',
    ],
    [
      'a target that is no URL',
      documentWith(upstream({ targets: ['http://a:99999'] })),
      'upstreams.origin.targets[0]: is not a valid URL',
    ],
    [
      'a target with a password',
      documentWith(upstream({ targets: ['http://u:p@a'] })),
      'upstreams.origin.targets[0]: must be an http:// or https:// URL without user, query or fragment',
    ],
    [
      'a CA file that is not there',
      documentWith(upstream({ ca: 'file:ca.pem' })),
      'upstreams.origin.ca: ca.pem cannot be read',
    ],
    [
      'a CA file that is none',
      documentWith(upstream({ ca: 'file:junk' })),
      'upstreams.origin.ca: does not hold a readable PEM',
    ],
    [
      'a key that is no reference',
      documentWith(listener({ tls: { certificates: [{ cert: 'file:junk', key: 'PRIVATE' }] } })),
      'listeners[0].tls.certificates[0].key: must be a reference, env:NAME or file:PATH; *',
    ],
    [
      'a certificate that is none',
      documentWith(listener({ tls: { certificates: [{ cert: 'file:junk', key: 'env:KEY' }] } })),
      'listeners[0].tls.certificates[0].cert: does not hold a readable PEM',
    ],
    [
      'an inline secret',
      documentWith(consumers({ 'api-key': { secret: 'hunter2hunter2hunter2' } })),
      'consumers[0].credentials[0].api-key.secret: must be a reference, env:NAME or file:PATH; *',
    ],
    [
      'a secret that is not there',
      documentWith(consumers({ 'api-key': { secret: 'env:NONE' } })),
      'consumers[0].credentials[0].api-key.secret: the environment has no NONE',
      'set NONE before the start',
    ],
    [
      'a short secret',
      documentWith(consumers({ 'api-key': { secret: 'env:SHORT' } })),
      'consumers[0].credentials[0].api-key.secret: the secret is shorter than 16 characters',
    ],
    [
      'a secret no header can carry',
      documentWith(consumers({ 'api-key': { secret: 'env:BLANK' } })),
      'consumers[0].credentials[0].api-key.secret: the secret is not *',
    ],
    [
      'a secret of two consumers',
      documentWith({
        consumers: [
          { name: 'a', credentials: [{ 'api-key': { secret: 'env:KEY' } }] },
          { name: 'b', credentials: [{ 'api-key': { secret: 'env:SAME' } }] },
        ],
      }),
      'consumers[1].credentials[0].api-key.secret: is the same secret as one of consumer "a"',
    ],
    [
      'two credentials of one id',
      documentWith(
        consumers(
          { 'api-key': { secret: 'env:KEY', id: 'i' } },
          { 'api-key': { secret: 'env:OTHER', id: 'i' } },
        ),
      ),
      'consumers[0].credentials[1].api-key.id: the credential id "i" is used twice',
    ],
    [
      'a day that is none',
      documentWith(consumers({ 'api-key': { secret: 'env:KEY', expires: '2027-02-30' } })),
      'consumers[0].credentials[0].api-key.expires: is not a day of the calendar',
    ],
    [
      'a policy that refuses its config',
      policies({ member: {} }),
      'routes[0].policies[0].member.who: nobody is named "app"',
    ],
    [
      'a policy before what it needs',
      policies({ guard: {} }, { login: {} }),
      'routes[0].policies[0].guard: needs the identity, which no policy before it provides (listener "public")',
      'put login, which stands behind it, first',
    ],
    [
      'a policy without what it needs',
      policies({ guard: {} }, { login: {}, mode: 'shadow' }),
      'routes[0].policies[0].guard: needs the identity, which no policy before it provides (listener "public")',
      'put one of these before it: login, api-key',
    ],
    [
      'a policy that needs what another’s config does not provide',
      policies({ named: {} }, { guard: {} }),
      'routes[0].policies[1].guard: needs the identity, which no policy before it provides (listener "public")',
      'put one of these before it: login, api-key',
    ],
    [
      'a policy that needs what shadow provides',
      policies({ login: {}, mode: 'shadow' }, { guard: {} }),
      'routes[0].policies[1].guard: needs the identity, which before it is only provided in shadow (listener "public")',
    ],
    [
      'a policy that needs what is off',
      policies({ login: {}, mode: 'off' }, { guard: {} }),
      'routes[0].policies[1].guard: needs the identity, which no policy before it provides (listener "public")',
    ],
    [
      'a test of an unknown listener',
      documentWith({
        tests: [{ name: 't', request: { path: '/', listener: 'x' }, expect: { status: 401 } }],
      }),
      'tests[0].request.listener: no listener is named "x"',
    ],
    [
      'a test that expects nothing',
      documentWith({ tests: [{ name: 't', request: { path: '/' }, expect: {} }] }),
      'tests[0].expect: must have at least 1 key',
    ],
  ];
  const environment = {
    KEY: 'k'.repeat(16),
    SAME: 'k'.repeat(16),
    OTHER: 'o'.repeat(16),
    SHORT: 's'.repeat(15),
    BLANK: 'a b'.repeat(9),
  };
  for (const [name, document, fault, suggestion] of cases) {
    it(name, async () => {
      const deps = bundleDeps(probePolicies(), { junk: 'junk' }, environment);
      const issues = await issuesOf(() => createBundle(parsed(document), deps));
      const told = issues.map((i) => `${i.path}: ${i.message}`);
      const matches = (text: string) =>
        fault.endsWith('*') ? text.startsWith(fault.slice(0, -1)) : text === fault;
      const found = told.findIndex(matches);
      assert.notEqual(found, -1, told.join('\n'));
      assert.equal(told.length, 1, told.join('\n'));
      if (suggestion !== undefined) assert.equal(issues[found].suggestion, suggestion);
      assert.equal(deps.cache.size, 0, 'nothing of a failed compile stays');
    });
  }

  it('faults of several consumers, each at its own', async () => {
    const consumer = (name: string, secret: string) => ({ name, credentials: [{ 'api-key': { secret } }] });
    const document = documentWith({
      consumers: [consumer('a', 'hunter2hunter2hunter2'), consumer('b', 'env:NONE')],
    });
    const issues = await issuesOf(() => createBundle(parsed(document), bundleDeps()));
    assert.deepEqual(
      issues.map(({ path }) => path),
      [0, 1].map((i) => `consumers[${i}].credentials[0].api-key.secret`),
    );
    assert.match(issues[1].message, /NONE/);
  });

  it('every fault at once, in the order of the text, with places', async () => {
    const document = documentWith({
      listeners: [{ name: 'public', address: 'x', limts: {} }],
      routes: [
        {
          name: 'a',
          match: { path: '/' },
          upstream: 'none',
          policies: [{ mark: { n: 0 } }, { member: {} }, { unknown: {} }],
        },
      ],
    });
    const issues = await issuesOf(() => createBundle(parsed(document), bundleDeps()));
    assert.deepEqual(
      issues.map((i) => i.path),
      [
        'listeners[0].address',
        'listeners[0].limts',
        'routes[0].upstream',
        'routes[0].policies[0].mark.n',
        'routes[0].policies[1].member.who',
        'routes[0].policies[2].unknown',
      ],
    );
    assert.ok(issues.every((i) => i.file === 'test.json' && i.line === 1 && (i.column ?? 0) > 1));
  });
});
