import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { unweighted } from '../../../test/fixtures/recording/stage.ts';
import type { Identity } from '../../contract/index.ts';
import type { Unweighted } from '../record-line.ts';
import { bodyHoldsSecret } from './body-secrets.ts';
import { Redaction } from './redaction.ts';
import { jsonHoldsSecret } from './value-secrets.ts';

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLW9mLWl0';
const redaction = new Redaction();
redaction.learn({ headers: ['x-tenant-pass', 'x-who'], query: ['apikey', 'caller'] });
const NO_PARAMS = Object.freeze({});

const redact = (more: Partial<Unweighted>, params: Readonly<Record<string, string>> = NO_PARAMS) =>
  redaction.redact(unweighted({ headers: [], ...more }), params);

describe('header fields whose values are never kept', () => {
  const names = [
    ...['Authorization', 'proxy-authorization', 'Cookie', 'SET-COOKIE', 'X-Api-Key', 'api-key', 'apikey'],
    ...['X-Auth-Token', 'x-auth', 'X-Access-Token', 'X-CSRF-Token', 'X-Amz-Security-Token', 'X-Session-Id'],
    ...['X-Goog-Api-Key', 'Ocp-Apim-Subscription-Key', 'X-Hub-Signature-256', 'X-Vault-Token', 'X-OTP'],
    ...[
      ...['X-OAuth', 'X-Sid', 'X-Ticket', 'X-Saml-Response', 'X-Pass', 'X-Hmac-Sha256', 'X-2fa-Code'],
      'Private-Token',
      'X-Secret',
      'X-Password',
      'Client-Assertion',
      'X-Amzn-Oidc-Jwt',
      'DPoP',
      'Signature',
    ],
    // What policies of the document read.
    ...['X-Who', 'x-tenant-pass'],
  ];
  for (const name of names) {
    it(name, () => {
      const { headers, withheld } = redact({ headers: ['Accept', '*/*', name, 'hunter2', name, 'again'] });
      assert.deepEqual(headers, ['Accept', '*/*', name, '', name, '']);
      assert.deepEqual(withheld.headers, [name.toLowerCase()]);
    });
  }

  const values: readonly (readonly [string, string])[] = [
    ['a token', JWT],
    ['a bearer token', `Bearer ${'a'.repeat(20)}`],
    ['a key of a known maker', 'sk-proj-abcdefghijklmnop'],
    ['a key of an account', 'AKIAIOSFODNN7EXAMPLE'],
    ['a private key', '-----BEGIN RSA PRIVATE KEY-----MIIE'],
    ['a password in a URL', 'https://user:hunter2@example.com/'],
    ['a token in a URL', 'https://example.com/?a=1&access_token=hunter2'],
    [
      'a token in a URL in a URL',
      'https://a.example/?to=https%3A%2F%2Fb.example%2F%3Faccess_token%3Dhunter2',
    ],
    ['what is encoded too often', `https://a.example/?to=${'%25'.repeat(1)}${'2525252525'}41`],
    ['a pair', 'user=a; password=hunter2'],
    ['a short pair', 'v=1,token: x'],
    ['a pair among others', 'a=1; sid=hunter2'],
    ['who stands alone in a URL', 'https://hunter2@example.com/'],
    ['short credentials', 'see Basic YTpi'],
    ['JSON', '{"a":{"pass":"x"}}'],
    ['JSON in base64', Buffer.from('{"pin":"1"}').toString('base64url')],
    ['a link of one person', 'https://a.example/reset/8d7f6a5b4c3d2e1f0a9b'],
    ['an encoded link of one person', 'https%3A%2F%2Fa.example%2Freset%2F8d7f6a5b4c3d2e1f0a9b'],
    ['a hook', 'https://a.example/hooks/catch/1234567890123456/x'],
    ['what could be a key', 'Zk3vQ9xL1mN8pR4tW7yB2cD5fG6hJ0sA'],
    ['what could be a key, in base64', 'eyJ1c2VyIjoiYWRtaW4iLCJpZCI6MTIzNDU2Nzg5MCwibiI6Ing='],
  ];
  for (const [name, value] of values) {
    it(`in any field: ${name}`, () => {
      const { headers, withheld } = redact({ headers: ['X-Note', value] });
      assert.deepEqual([headers, withheld.headers], [['X-Note', ''], ['x-note']]);
    });
  }

  it('are those of every document so far', () => {
    const several = new Redaction();
    const sent = unweighted({ headers: ['X-One', 'hunter2', 'X-Two', 'hunter2'], target: '/?one=a&two=b' });
    const withheld = (): unknown => several.redact(sent, NO_PARAMS).withheld;
    assert.deepEqual(withheld(), { headers: [], query: [] });
    several.learn({ headers: ['x-one'], query: ['one'] });
    assert.deepEqual(withheld(), { headers: ['x-one'], query: ['one'] });
    several.learn({ headers: ['x-two'], query: ['two'] });
    assert.deepEqual(withheld(), { headers: ['x-one', 'x-two'], query: ['one', 'two'] });
  });

  it('are those of a field in which browsers send tokens', () => {
    const { withheld } = redact({ headers: ['Sec-WebSocket-Protocol', `v1, ${'aB3'.repeat(12)}`] });
    assert.deepEqual(withheld.headers, ['sec-websocket-protocol']);
  });

  it('are those of a field whose name is the secret', () => {
    const { headers, withheld } = redact({ headers: [`sk-live-abcdefghijklmnop`, 'x'] });
    assert.deepEqual([headers, withheld.headers], [['x-withheld', ''], ['x-withheld']]);
  });

  it('are no others', () => {
    const headers = [
      ...[
        'Host',
        'api.example.com',
        'User-Agent',
        'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126',
      ],
      ...[
        'Accept',
        'text/html,application/xhtml+xml;q=0.9',
        'Content-Type',
        'multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW',
      ],
      ...['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'X-Tenant', 'acme'],
      ...[
        'X-Request-Id',
        '01J9Z3QK5V0V5M6T3YB7E8R2XA',
        'If-None-Match',
        '"33a64df551425fcc55e4d42a148795d9f25f89d4"',
      ],
      ...[
        'Idempotency-Key',
        'order-7',
        'Sec-WebSocket-Key',
        'dGhlIHNhbXBsZSBub25jZQ==',
        'X-Forwarded-For',
        '192.0.2.1, 10.0.0.1',
      ],
      ...[
        'Content-Digest',
        'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:',
        'Authorization',
        '',
        'X-Id',
        '0af7651916cd43dd8448eb211c80319c',
      ],
    ];
    const before = [...headers];
    const redacted = redact({ headers });
    assert.deepEqual([redacted.headers, redacted.withheld], [before, { headers: [], query: [] }]);
    assert.deepEqual(headers, before, 'what was given is as it was');
  });
});

describe('a target', () => {
  const cases: readonly (readonly [string, string, string, readonly string[], true?])[] = [
    ['without a query', '/orders', '/orders', []],
    ['with a query that tells nothing', '/orders?limit=10&q=a+b', '/orders?limit=10&q=a+b', []],
    ['with what policies read', '/o?caller=x&a=1', '/o?caller=&a=1', ['caller']],
    ['with an encoded name of it', '/o?c%61ller=x', '/o?c%61ller=', ['caller']],
    [
      'with a name for secrets',
      '/o?access_token=x&password=y',
      '/o?access_token=&password=',
      ['access_token', 'password'],
    ],
    ['with an encoded name for secrets', '/o?acc%65ss%5Ftoken=x', '/o?acc%65ss%5Ftoken=', ['access_token']],
    ['with an answer of a provider', '/cb?code=abc&state=def', '/cb?code=&state=', ['code', 'state']],
    ['with a repeated name', '/o?token=x&token=y', '/o?token=&token=', ['token']],
    ['with nothing under such a name', '/o?token=&key', '/o?token=&key', []],
    ['with a token in any parameter', `/o?x=${JWT}`, '/o?x=', ['x']],
    ['with an encoded token', `/o?x=${JWT.replaceAll('.', '%2E')}`, '/o?x=', ['x']],
    ['with a link that holds a token', '/o?to=https%3A%2F%2Fa%2F%3Ftoken%3Dx', '/o?to=', ['to']],
    [
      'with a link in a link',
      '/o?to=https%3A%2F%2Fa%3Fb%3Dhttps%253A%252F%252Fc%253Ftoken%253Dx',
      '/o?to=',
      ['to'],
    ],
    ['with other divisions', '/o?a=1;token=x', '/o?a=', ['a']],
    ['with a token for a name', `/o?${JWT}`, '/o?withheld', ['withheld']],
    ['with a token for a name, and a value', `/o?a=1&${JWT}=1`, '/o?a=1&withheld=', ['withheld']],
    ['with what could be a key', '/o?x=Zk3vQ9xL1mN8pR4tW7yB2cD5fG6hJ0sA', '/o?x=', ['x']],
    ['with a token in its path', `/a/${JWT}/b`, '/a/withheld/b', [], true],
    ['with an encoded token in its path', `/a/%65${JWT.slice(1)}`, '/a/withheld', [], true],
    ['with a session in its path', '/a;jsessionid=0123/b', '/withheld/b', [], true],
    [
      'with a link of one person',
      '/reset-password/8d7f6a5b4c3d2e1f0a9b',
      '/reset-password/withheld',
      [],
      true,
    ],
    [
      'with a word behind such a name',
      '/reset-password/instructions-page',
      '/reset-password/instructions-page',
      [],
    ],
    ['with a hook', '/hooks/catch/b/1234567890123456', '/hooks/catch/b/withheld', [], true],
    ['with the key of a bot', '/bot123:abcdefghijklmnopqrstuvwx/a', '/withheld/a', [], true],
    ['with JSON in it', `/o?x=${encodeURIComponent('{"pin":1}')}`, '/o?x=', ['x']],
    ['with a link of one person in it', '/o?to=%2Freset%2F8d7f6a5b4c3d2e1f0a9b', '/o?to=', ['to']],
    ['with a key in its path', '/hooks/sk-live-abcdefghijklmnop', '/hooks/withheld', [], true],
    ['encoded without end', '/a/%2525252541', '/a/withheld', [], true],
    ['of the server', '*', '*', []],
  ];
  for (const [name, target, expected, query, isPathWithheld] of cases) {
    it(name, () => {
      const redacted = redact({ target });
      assert.equal(redacted.target, expected);
      assert.deepEqual(redacted.withheld, { headers: [], query, ...(isPathWithheld && { path: true }) });
    });
  }

  it('with a parameter that takes several segments, and a field that repeats it', () => {
    const { target, headers, withheld } = redact(
      { target: '/open/hunter2/more1/x', headers: ['Referer', 'https://a/open/hunter2', 'X-A', 'x'] },
      { token: 'hunter2/more1' },
    );
    assert.deepEqual([target, headers], ['/open/withheld/withheld/x', ['Referer', '', 'X-A', 'x']]);
    assert.deepEqual(withheld, { headers: ['referer'], query: [], path: true });
  });

  it('with a parameter in the path that is named like a secret', () => {
    const { target, withheld } = redact({ target: '/invite/abc%20d/x' }, { inviteToken: 'abc d', id: 'x' });
    assert.deepEqual([target, withheld.path], ['/invite/withheld/x', true]);
  });
});

describe('a body is withheld', () => {
  const json = ['application/json'];
  const form = ['application/x-www-form-urlencoded'];
  const cases: readonly (readonly [string, readonly string[], string])[] = [
    ['with a password', json, '{"user":"a","password":"hunter2"}'],
    ['with a password deep inside', json, '{"a":[{"b":{"newPassword" : "hunter2"}}]}'],
    ['with an escaped name', json, '{"pa\\u0073sword":"hunter2"}'],
    ['with a name that is there twice', json, '{"password":"hunter2","password":null}'],
    ['with an object under such a name', json, '{"credentials":{"a":1}}'],
    ['with a PIN', json, '{"pin":1234}'],
    ['with a name in one word', json, '{"dbPass":"x"}'],
    ['with a code', json, '{"securityCode":123}'],
    ['with a dump of a request', json, JSON.stringify({ dump: 'GET /\r\ncookie: a=x' })],
    ['with a card', json, '{"cardNumber":"4111","cvv":"123"}'],
    ['with a token', json, `{"a":"${JWT}"}`],
    ['with an escaped token', json, `{"a":"\\u0065${JWT.slice(1)}"}`],
    ['with JSON in JSON', json, JSON.stringify({ a: JSON.stringify({ password: 'hunter2' }) })],
    [
      'with a question that holds one',
      json,
      JSON.stringify({ query: 'mutation { login(password: "hunter2") }' }),
    ],
    ['with an encoded link', json, '{"to":"https%3A%2F%2Fa%2F%3Ftoken%3Dhunter2"}'],
    ['that is no JSON', json, '{"a":1'],
    ['of JSON in another encoding', json, '{\0"\0a\0"\0:\x001\0}\0'],
    ['of JSON by another name', ['application/problem+json; charset=utf-8'], '{"secret":"x"}'],
    ['of a form', form, 'user=a&password=hunter2'],
    ['of a form that holds JSON', form, `a=${encodeURIComponent('{"pin":1}')}`],
    ['of JSON that hides JSON', json, JSON.stringify({ a: Buffer.from('{"pin":1}').toString('base64') })],
    ['of texts in texts without end', json, [1, 2, 3, 4, 5, 6].reduce((t) => JSON.stringify([t]), '["a"]')],
    ['in an odd encoding', ['application/json; charset=utf-7'], '{"a":1}'],
    ['of a text with a short name', ['text/xml'], '<pin>1234</pin>'],
    ['of a form with an encoded name', form, 'user=a&p%61ssword=hunter2'],
    ['of a form that asks for a token', form, 'grant_type=authorization_code&code=abc'],
    ['of a form with a token', form, `a=${JWT}`],
    ['of several types', [...json, 'text/plain'], '{"password":"x"}'],
    ['of no type', [], '{"password":"x"}'],
    ['of a text', ['text/xml'], '<login><password>hunter2</password></login>'],
    ['of a text with a disguised name', ['text/xml'], '<login p="&#112;assword"/>'],
    [
      'of several parts',
      ['multipart/form-data; boundary=b'],
      '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nx\r\n--b--',
    ],
    ['of a private key', ['text/plain'], '-----BEGIN PRIVATE KEY-----\nMIIE'],
  ];
  for (const [name, types, text] of cases) {
    it(name, () => assert.equal(bodyHoldsSecret(Buffer.from(text), { types, isEncoded: false }), true));
  }

  it('that is compressed', () => {
    assert.equal(bodyHoldsSecret(Buffer.from('{}'), { types: json, isEncoded: true }), true);
  });

  const kept: readonly (readonly [string, readonly string[], string])[] = [
    [
      'of an order',
      json,
      '{"id":7,"code":"DE","state":"CA","key":"color","text":"a \\"password\\" field, maybe"}',
    ],
    [
      'of a question to a model',
      json,
      '{"model":"m","max_tokens":100,"token_type":"Bearer","messages":[{"role":"user","content":"Hi"}]}',
    ],
    ['with nothing under such a name', json, '{"password":null,"token":"","secret":false}'],
    ['of a form', form, 'a=1&b=c+d'],
    ['of a text', ['text/plain'], 'some words'],
    ['of nothing', json, ''],
  ];
  for (const [name, types, text] of kept) {
    it(`but not one ${name}`, () => {
      assert.equal(bodyHoldsSecret(Buffer.from(text), { types, isEncoded: false }), false);
    });
  }

  it('wherever in JSON a secret stands, however it is written', () => {
    const escaped = (text: string): string =>
      [...text].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
    const plant = fc.record({
      path: fc.array(fc.oneof(fc.string({ maxLength: 5 }), fc.constant(0)), { maxLength: 5 }),
      name: fc.constantFrom('password', 'client_secret', 'accessToken', 'apiKey'),
      isEscaped: fc.boolean(),
      around: fc.jsonValue({ maxDepth: 2 }),
    });
    fc.assert(
      fc.property(plant, ({ path, name, isEscaped, around }) => {
        const member = `{"${isEscaped ? escaped(name) : name}":"hunter2"}`;
        const text = path.reduce<string>(
          (inner, step) =>
            step === 0 ? `[${JSON.stringify(around)},${inner}]` : `{${JSON.stringify(step)}:${inner}}`,
          member,
        );
        assert.equal(jsonHoldsSecret(text), true, text);
      }),
    );
  });
});

describe('who called', () => {
  const identity = (claims: Readonly<Record<string, unknown>>): Identity => ({
    consumer: 'app',
    groups: ['a'],
    scopes: ['read'],
    claims,
  });
  const cases: readonly (readonly [string, unknown])[] = [
    ['access_token', 'opaque'],
    ['raw', JWT],
    ['nested', { deep: { client_secret: 'x' } }],
    ['session_id', 'x'],
    ['note', 'x'.repeat(2000)],
    [JWT, 1],
  ];
  for (const [name, value] of cases) {
    it(`is kept without the claim ${name.slice(0, 20)}`, () => {
      const redacted = redact({ identity: identity({ sub: '7', tenant: 'acme', [name]: value }) });
      assert.deepEqual(redacted.identity, identity({ sub: '7', tenant: 'acme' }));
      assert.deepEqual(redacted.withheld.claims, [name]);
    });
  }

  it('is kept as it is where nothing in it is secret', () => {
    const whole = identity({ sub: '7', exp: 123, token_use: 'access', cnf: { jkt: 'abc' }, roles: ['a'] });
    assert.equal(redact({ identity: whole }).identity, whole);
  });

  it('is bounded', () => {
    const claims = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`c${i}`, 'x'.repeat(500)]));
    const redacted = redact({ identity: identity(claims) });
    assert.ok(JSON.stringify(redacted.identity).length < 5000);
  });
});

describe('what else could tell', () => {
  it('the id that a caller chose', () => {
    const { requestId } = redact({ requestId: JWT });
    assert.match(requestId, /^withheld-[0-9a-f]{16}$/);
  });

  it('the reason of a policy', () => {
    const entry = {
      attachment: 'a',
      policy: 'p',
      mode: 'enforce',
      phase: 'request',
      outcome: 'reject',
    } as const;
    const { decisions } = redact({ decisions: [entry, { ...entry, reason: `not ${JWT}` }] });
    assert.deepEqual(decisions, [entry, { ...entry, reason: 'withheld' }]);
  });
});

it('redaction of what is made to hold it takes no longer than its length', () => {
  const evil = [
    'eyJaaaaaaaaa-'.repeat(2000),
    `bearer ${' '.repeat(30_000)}`,
    '://a:'.repeat(6000),
    '-----BEGIN '.repeat(3000),
    'password"\\ '.repeat(3000),
    'aA'.repeat(15_000),
    '%25'.repeat(10_000),
    ';a='.repeat(10_000),
    'x'.repeat(30_000),
    'basic YWI '.repeat(3000),
    'eyJhIjoi'.repeat(4000),
    '/hooks/abcdefghijklmnopq'.repeat(1300),
    '/a1234567890123456'.repeat(1700),
    '{"a":'.repeat(6000),
    '['.repeat(15_000) + ']'.repeat(15_000),
  ];
  for (const text of evil) {
    const startedMs = performance.now();
    redact({ headers: ['X-Note', text, 'Sec-WebSocket-Protocol', text], target: `/a/${text}?b=${text}` });
    bodyHoldsSecret(Buffer.from(JSON.stringify({ a: text })), {
      types: ['application/json'],
      isEncoded: false,
    });
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs < 150, `${text.slice(0, 12)} took ${tookMs} ms`);
  }
});
