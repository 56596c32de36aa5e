import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type RawMessage, values } from '../fixtures/raw-client.ts';
import { LOOSE_SPELLINGS, looseReadings, SPELLINGS } from './spellings.ts';
import { type Outcome, Stage, type StageParts } from './stage.ts';

/** Items 20, 22, 23, 24 and 45 against the rules that say who may call what: what is judged is what is forwarded. */

const HOST = 'Host: a.test\r\n';
const LENIENT = {
  encodedSlashes: 'keep',
  semicolons: 'keep',
  underscoreHeaders: 'keep',
  methodOverride: 'keep',
};
const LISTENERS = { strict: {}, lenient: LENIENT } as const;

const pathOf = ({ startLine }: RawMessage): string => startLine.split(' ')[1].split('?')[0];

/** Declares a stage for the tests of one block. */
function onStage(parts: StageParts): () => Stage {
  let stage: Stage | undefined;
  before(async () => {
    stage = await Stage.open(parts);
  });
  after(() => stage?.close());
  return () => {
    assert.ok(stage);
    return stage;
  };
}

const get = (stage: Stage, target: string, fields = ''): Promise<Outcome> =>
  stage.send(`GET ${target} HTTP/1.1\r\n${HOST}${fields}\r\n`);

for (const [kind, listener] of Object.entries(LISTENERS)) {
  describe(`item 20: a path that acl denies, at a ${kind} listener`, () => {
    const stage = onStage({
      listener,
      policies: [{ acl: { allow: 'everyone', deny: { paths: ['/admin/**'] } } }],
    });
    for (const target of [...SPELLINGS, ...LOOSE_SPELLINGS]) {
      test(JSON.stringify(target), async () => {
        const outcome = await get(stage(), target);
        assert.equal(outcome.statuses.length, 1, `${outcome.statuses}`);
        for (const request of outcome.forwarded) {
          const path = pathOf(request);
          const reached = looseReadings(path).filter((p) => p === '/admin' || p.startsWith('/admin/'));
          assert.deepEqual(reached, [], `forwarded as ${path}`);
        }
      });
    }
    test('what is beside it is let on', async () => {
      const outcome = await get(stage(), '/administrators');
      assert.deepEqual(outcome.statuses, [200]);
    });
  });

  describe(`item 20: a path that acl allows, at a ${kind} listener`, () => {
    const stage = onStage({ listener, policies: [{ acl: { allow: { paths: ['/public/**'] } } }] });
    const below = [
      '/public/../admin',
      '/public/x/../../admin',
      '/public/..%2fadmin',
      '/public/..%2Fadmin',
      '/public%2f..%2fadmin',
      '/public/%2e%2e/admin',
      '/public/%2e%2e%2fadmin',
      '/public/..;/admin',
      '/public/..;a=b/admin',
      '/public/..%3b/admin',
      '/public/.;/../admin',
      '/public\\..\\admin',
      '/public/..%5cadmin',
      '/public/%252e%252e/admin',
      '/public/..%c0%af..%c0%afadmin',
      '/public/..',
      '/public/../',
      '/public.',
      '/public%00/../admin',
      '/publicly',
      '/Public/x',
      '//public/../admin',
      '/admin/../public/../admin',
      'http://a.test/public/../admin',
    ];
    for (const target of [...SPELLINGS, ...below]) {
      test(JSON.stringify(target), async () => {
        const outcome = await get(stage(), target);
        assert.equal(outcome.statuses.length, 1, `${outcome.statuses}`);
        for (const request of outcome.forwarded) {
          const path = pathOf(request);
          const outside = looseReadings(path).filter((p) => p !== '/public' && !p.startsWith('/public/'));
          assert.deepEqual(outside, [], `forwarded as ${path}`);
        }
      });
    }
    for (const [target, path] of [
      ['/public//a/./b/../c', '/public/a/c'],
      ['/x/../public/a', '/public/a'],
      ['/%70ublic/%7Ea', '/public/~a'],
      ['/public', '/public'],
    ]) {
      test(`${target} goes on as ${path}, which is what was matched`, async () => {
        const outcome = await get(stage(), target);
        assert.deepEqual(outcome.forwarded.map(pathOf), [path]);
      });
    }
  });
}

const OVERRIDES = [
  'X-HTTP-Method-Override: DELETE',
  'x-http-method-override: delete',
  'X-HTTP-Method: DELETE',
  'X-Method-Override: DELETE',
  'X-HTTP-Method-Override: GET\r\nX-HTTP-Method-Override: DELETE',
  'X-HTTP-Method-Override: GET, DELETE',
  'X-HTTP-Method-Override: \tDelete ',
];

const post = (stage: Stage, fields: string): Promise<Outcome> =>
  stage.send(`POST /orders/1 HTTP/1.1\r\n${HOST}${fields}\r\nContent-Length: 0\r\n\r\n`);

describe('a method in a field, where a listener says nothing of it', () => {
  const stage = onStage({});
  for (const fields of [...OVERRIDES, 'X-HTTP-Method-Override: POST', 'X-HTTP-Method-Override: ']) {
    test(JSON.stringify(fields), async () => {
      const outcome = await post(stage(), fields);
      assert.deepEqual(outcome.statuses, [400]);
      assert.deepEqual(outcome.forwarded, []);
    });
  }
  test('in the trailers it does not go on', async () => {
    const outcome = await stage().send(
      `POST /c HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\nX-HTTP-Method-Override: DELETE\r\n\r\n`,
    );
    assert.doesNotMatch(outcome.bytes, /override/i);
  });
});

for (const [name, acl] of [
  ['denied', { allow: 'everyone', deny: { methods: ['DELETE'] } }],
  ['not allowed', { allow: { methods: ['GET', 'POST', 'PUT'] } }],
] as const) {
  describe(`a method that acl has ${name}, in a field that is kept`, () => {
    const stage = onStage({ listener: LENIENT, policies: [{ acl }] });
    for (const fields of [...OVERRIDES, 'X_HTTP_Method_Override: DELETE', 'x_http_method: delete']) {
      test(JSON.stringify(fields), async () => {
        const outcome = await post(stage(), fields);
        assert.deepEqual(outcome.statuses, [403]);
        assert.deepEqual(outcome.forwarded, []);
      });
    }
    test('another method goes on', async () => {
      const outcome = await post(stage(), 'X-HTTP-Method-Override: PUT');
      assert.deepEqual(outcome.statuses, [200]);
      assert.deepEqual(values(outcome.forwarded[0], 'x-http-method-override'), ['PUT']);
    });
  });
}

describe('item 20: a condition on the host holds for every spelling of it', () => {
  const stage = onStage({
    policies: [{ acl: { allow: 'everyone', deny: { when: 'request.host == "admin.test"' } } }],
  });
  const hosts = [
    'admin.test',
    'ADMIN.test',
    'Admin.Test.',
    'admin.test:80',
    'ADMIN.TEST.:8080',
    'admin.test:',
  ];
  for (const host of [
    ...hosts,
    ' admin.test',
    'admin.test, a.test',
    'a.test@admin.test',
    'admin.test#',
    'admin%2etest',
  ]) {
    test(JSON.stringify(host), async () => {
      const outcome = await stage().send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      assert.deepEqual(outcome.forwarded, []);
    });
  }
  for (const head of [
    'GET http://admin.test/ HTTP/1.1\r\nHost: a.test\r\n',
    'GET http://a.test/ HTTP/1.1\r\nHost: admin.test\r\n',
    'GET / HTTP/1.1\r\nHost: a.test\r\nHost: admin.test\r\n',
    'GET / HTTP/1.1\r\nHost: admin.test\r\nX-Forwarded-Host: a.test\r\n',
  ]) {
    test(JSON.stringify(head), async () => {
      const outcome = await stage().send(`${head}\r\n`);
      assert.deepEqual(outcome.forwarded, []);
    });
  }
  test('what another host says of itself in X-Forwarded-Host does not go on', async () => {
    const outcome = await get(stage(), '/', 'X-Forwarded-Host: admin.test\r\n');
    assert.deepEqual(outcome.statuses, [200]);
    assert.ok(!outcome.bytes.includes('admin.test'));
  });
});

describe('a condition cannot be met by one of several values', () => {
  const stage = onStage({
    policies: [
      { acl: { allow: { when: 'request.query.tenant == "a" || request.headers["x-tenant"] == "a"' } } },
    ],
  });
  const cases: readonly (readonly [target: string, fields: string])[] = [
    ['/?tenant=a&tenant=b', ''],
    ['/?tenant=b&tenant=a', ''],
    ['/?tenant=a&%74enant=b', ''],
    ['/?tenant=a&tenant', ''],
    ['/?tenant=b', ''],
    ['/', 'X-Tenant: a\r\nX-Tenant: b\r\n'],
    ['/', 'X-Tenant: a\r\nx-tenant: b\r\n'],
    ['/', 'X-Tenant: a, b\r\n'],
    ['/', 'X-Tenant: b\r\n'],
    ['/', ''],
  ];
  for (const [target, fields] of cases) {
    test(JSON.stringify([target, fields]), async () => {
      const outcome = await get(stage(), target, fields);
      assert.ok(outcome.statuses[0] >= 400, `${outcome.statuses}`);
      assert.deepEqual(outcome.forwarded, []);
    });
  }
  test('one value goes on', async () => {
    for (const [target, fields] of [
      ['/?tenant=a', ''],
      ['/?tenant=%61', ''],
      ['/', 'X-TENANT: a\r\n'],
    ])
      assert.deepEqual((await get(stage(), target, fields)).statuses, [200]);
  });
});

describe('item 24: IPv4-mapped IPv6 in the addresses of a rule', () => {
  for (const entry of [
    '127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:127.0.0.0/104',
    '127.0.0.0/8',
  ]) {
    test(`deny ${entry} refuses 127.0.0.1`, async () => {
      const stage = await Stage.open({
        policies: [{ acl: { allow: 'everyone', deny: { addresses: [entry] } } }],
      });
      try {
        const outcome = await get(stage, '/');
        assert.deepEqual(outcome.statuses, [403]);
        assert.deepEqual(outcome.forwarded, []);
      } finally {
        await stage.close();
      }
    });
  }

  describe('behind a trusted proxy', () => {
    const stage = onStage({
      listener: { trustedProxies: ['127.0.0.1'] },
      policies: [{ acl: { allow: { addresses: ['198.51.100.0/24'] } } }],
    });
    for (const [client, status] of [
      ['198.51.100.7', 200],
      ['::ffff:198.51.100.7', 200],
      ['::ffff:c633:6407', 200],
      ['::198.51.100.7', 403],
      ['64:ff9b::198.51.100.7', 403],
      ['203.0.113.1', 403],
      ['198.51.100.7, 203.0.113.1', 403],
      ['198.051.100.007', 400],
      ['3325256711', 400],
    ] as const) {
      test(`${client}: ${status}`, async () => {
        const outcome = await get(stage(), '/', `X-Forwarded-For: ${client}\r\n`);
        assert.deepEqual(outcome.statuses, [status]);
      });
    }
  });
});

const APP = 'key-of-the-app-0123456789abcdef';
const PARTNER = 'key-of-the-partner-0123456789abcdef';
const CALLERS: StageParts = {
  env: { APP_KEY: APP, PARTNER_KEY: PARTNER },
  document: {
    consumers: [
      { name: 'app', groups: ['apps'], credentials: [{ 'api-key': { secret: 'env:APP_KEY' } }] },
      { name: 'partner', groups: ['partners'], credentials: [{ 'api-key': { secret: 'env:PARTNER_KEY' } }] },
      { name: 'guest', groups: ['public'] },
    ],
  },
};
const WAYS = [
  { 'api-key': { realm: 'apps' } },
  { 'api-key': { header: 'x-partner-key', realm: 'partners' }, name: 'partner' },
];

/** Who the upstream was told calls. */
const told = ({ forwarded }: Outcome): readonly (readonly string[])[] =>
  forwarded.map((request) => [
    ...values(request, 'x-consumer-username'),
    ...values(request, 'x-consumer-groups'),
    ...values(request, 'x-anonymous-consumer'),
  ]);

const challenges = ({ answers }: Outcome): readonly string[] =>
  answers.flatMap((answer) => values(answer, 'www-authenticate'));

const BOTH = ['Key realm="apps"', 'Key realm="partners"'];

describe('any-of: what is right for one and wrong for another', () => {
  const stage = onStage({
    ...CALLERS,
    policies: [{ 'any-of': [...WAYS, { anonymous: { consumer: 'guest' } }] }],
  });
  const cases: readonly (readonly [
    name: string,
    fields: string,
    status: number,
    told: readonly string[] | undefined,
  ])[] = [
    ['a wrong key makes nobody a guest', 'X-API-Key: wrong\r\n', 401, undefined],
    ['nor does a wrong one of the other kind', 'X-Partner-Key: wrong\r\n', 401, undefined],
    ['two wrong ones', 'X-API-Key: wrong\r\nX-Partner-Key: wrong\r\n', 401, undefined],
    ['a right one twice', `X-API-Key: ${APP}\r\nX-API-Key: ${APP}\r\n`, 401, undefined],
    ['two in one field', `X-API-Key: ${APP}, ${PARTNER}\r\n`, 401, undefined],
    [
      'a wrong one, and a claim to be known',
      'X-API-Key: wrong\r\nX-Consumer-Username: app\r\n',
      401,
      undefined,
    ],
    [
      'a wrong one and a right one',
      `X-API-Key: wrong\r\nX-Partner-Key: ${PARTNER}\r\n`,
      200,
      ['partner', 'partners'],
    ],
    ['a right one and a wrong one', `X-API-Key: ${APP}\r\nX-Partner-Key: wrong\r\n`, 200, ['app', 'apps']],
    ['two right ones: the first', `X-Partner-Key: ${PARTNER}\r\nX-API-Key: ${APP}\r\n`, 200, ['app', 'apps']],
    ['nothing', '', 200, ['guest', 'public', 'true']],
    [
      'nothing but claims',
      'X-Consumer-Username: app\r\nX-Consumer-Groups: apps\r\nX-Anonymous-Consumer: false\r\n',
      200,
      ['guest', 'public', 'true'],
    ],
    ['empty fields', 'X-API-Key: \r\nX-Partner-Key:\r\n', 200, ['guest', 'public', 'true']],
  ];
  for (const [name, fields, status, expected] of cases) {
    test(name, async () => {
      const outcome = await get(stage(), '/', fields);
      assert.deepEqual(outcome.statuses, [status]);
      assert.deepEqual(told(outcome), expected === undefined ? [] : [expected]);
      assert.deepEqual(challenges(outcome), status === 401 ? BOTH : []);
    });
  }
});

describe('all-of: half a proof is none', () => {
  const stage = onStage({ ...CALLERS, policies: [{ 'all-of': WAYS }] });
  const chosen = onStage({ ...CALLERS, policies: [{ 'all-of': { members: WAYS, identity: 'partner' } }] });
  const cases: readonly (readonly [
    name: string,
    fields: string,
    status: number,
    challenge: readonly string[],
  ])[] = [
    ['nothing', '', 401, [BOTH[0]]],
    ['the first alone', `X-API-Key: ${APP}\r\n`, 401, [BOTH[1]]],
    ['the second alone', `X-Partner-Key: ${PARTNER}\r\n`, 401, [BOTH[0]]],
    ['one right, one wrong', `X-API-Key: ${APP}\r\nX-Partner-Key: wrong\r\n`, 401, [BOTH[1]]],
    ['one key for both, which is one consumer’s', `X-API-Key: ${APP}\r\nX-Partner-Key: ${APP}\r\n`, 200, []],
    ['two consumers in one request', `X-API-Key: ${APP}\r\nX-Partner-Key: ${PARTNER}\r\n`, 403, []],
  ];
  for (const [name, fields, status, challenge] of cases) {
    test(name, async () => {
      const outcome = await get(stage(), '/', fields);
      assert.deepEqual(outcome.statuses, [status]);
      assert.deepEqual(challenges(outcome), challenge);
      assert.equal(outcome.forwarded.length, status === 200 ? 1 : 0);
    });
  }
  test('two consumers, of whom the document says whose identity counts', async () => {
    const outcome = await get(chosen(), '/', `X-API-Key: ${APP}\r\nX-Partner-Key: ${PARTNER}\r\n`);
    assert.deepEqual(told(outcome), [['partner', 'partners']]);
  });
});

describe('items 22, 23: headers that say who calls, by names of the document', () => {
  const names = { 'X-User': 'consumer', 'X-Groups': 'groups', 'Remote-User': 'consumer' };
  const policies = [{ 'identity-headers': { preset: 'none', headers: names } }];
  const open = onStage({ listener: LENIENT, policies });
  const guarded = onStage({ ...CALLERS, listener: LENIENT, policies: [...policies, { 'api-key': {} }] });
  const IMPOSTOR = 'root-impostor';
  const spellings = Object.keys(names).flatMap((name) => [
    name,
    name.toLowerCase(),
    name.toUpperCase(),
    name.replaceAll('-', '_'),
    name.replaceAll('-', '.'),
    name.replaceAll('-', '~').toLowerCase(),
  ]);
  for (const name of spellings) {
    test(`${name} from a client does not go on, whether it is known or not`, async () => {
      const unknown = await get(open(), '/', `${name}: ${IMPOSTOR}\r\n`);
      assert.deepEqual(unknown.statuses, [200]);
      assert.ok(!unknown.bytes.includes(IMPOSTOR), unknown.bytes);
      const known = await get(
        guarded(),
        '/',
        `${name}: ${IMPOSTOR}\r\nX-API-Key: ${APP}\r\nConnection: ${name}\r\n`,
      );
      assert.deepEqual(known.statuses, [200]);
      assert.ok(!known.bytes.includes(IMPOSTOR), known.bytes);
      assert.deepEqual(values(known.forwarded[0], 'x-user'), ['app']);
      assert.deepEqual(values(known.forwarded[0], 'remote-user'), ['app']);
    });
  }
  test('the names of the preset say nothing, of anybody', async () => {
    const outcome = await get(guarded(), '/', `X-API-Key: ${APP}\r\nX-Consumer-Username: ${IMPOSTOR}\r\n`);
    assert.deepEqual(outcome.statuses, [200]);
    assert.doesNotMatch(outcome.bytes, /x-consumer|x-credential|x-anonymous/i);
  });
  for (const name of ['X-User', 'x_user', 'X.User', 'X-Groups']) {
    test(`nor does ${name} in the trailers`, async () => {
      const outcome = await open().send(
        `POST /c HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n${name}: ${IMPOSTOR}\r\n\r\n`,
      );
      assert.ok(!outcome.bytes.includes(IMPOSTOR), outcome.bytes);
    });
  }
});
