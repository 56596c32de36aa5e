/**
 * Item 35 and what stands around it: signing in through a browser that an attacker can send anywhere, beside a
 * provider that lies or breaks. Refusals first; a real provider, a real browser and a real gateway are in
 * test/e2e/oidc-login.test.ts.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { NetworkError } from '../../src/errors.ts';
import { halfHash } from '../../src/policies/oidc-login/id-token.ts';
import { Browser, CALLBACK, LoginStage, ORIGIN, type Reply, type Worker } from '../fixtures/login-stage.ts';
import { CLIENT_ID, CLIENT_SECRET, ISSUER } from '../fixtures/scripted-provider.ts';
import { type Json, mint, mintSecret, tokenKey } from '../fixtures/tokens.ts';

const FAILED = 'invalid-credential/callback';

let stage: LoginStage;
let browser: Browser;
let worker: Worker;
beforeEach(async () => {
  stage = new LoginStage();
  browser = new Browser();
  worker = await stage.worker();
});
afterEach(() => stage.close());

/** Opens a page and signs in at the provider: the query of the way back. */
async function comeBack(who: Browser = browser, sub = 'ann'): Promise<URLSearchParams> {
  const sent = await who.open(worker, '/');
  assert.equal(sent.told, '302', sent.reason);
  return stage.provider.authorize(sent.location, sub);
}

const finish = (
  query: URLSearchParams | string,
  who: Browser = browser,
  at: Worker = worker,
): Promise<Reply> => who.open(at, CALLBACK, { query: query.toString() });

function copyOf({ cookies }: Browser): Browser {
  const copy = new Browser();
  for (const [name, value] of cookies) copy.cookies.set(name, value);
  return copy;
}

async function assertNobody(who: Browser = browser): Promise<void> {
  const page = await who.fetch(worker, '/');
  assert.equal(page.identity, undefined);
  assert.notEqual(page.told, 'continue');
}

describe('item 35: the way back', () => {
  const RESPONSES: readonly (readonly [name: string, query: (sound: URLSearchParams) => string])[] = [
    ['without anything', () => ''],
    ['without a state', (q) => without(q, 'state')],
    ['without a code', (q) => without(q, 'code')],
    ['with an empty code', (q) => having(q, 'code', '')],
    ['with another code', (q) => having(q, 'code', 'guessed')],
    ['with two codes', (q) => `${q}&code=other`],
    ['with two codes that are one', (q) => `${q}&code=${q.get('code')}`],
    ['with two states', (q) => `${q}&state=${q.get('state')}`],
    ['with two issuers', (q) => `${q}&iss=${encodeURIComponent(ISSUER)}`],
    ['with a code and an error', (q) => `${q}&error=access_denied`],
    ['with a state of another form', (q) => having(q, 'state', 'x')],
    ['with a state that is longer', (q) => having(q, 'state', `${q.get('state')}0`)],
    ['with a state of a path', (q) => having(q, 'state', '../../../etc/passwd')],
    [
      'with a state that ends otherwise',
      (q) => having(q, 'state', `${(q.get('state') ?? '').slice(0, -1)}g`),
    ],
    [
      'with another state of the same cookie',
      (q) => having(q, 'state', `${q.get('state')?.slice(0, 20)}${'0'.repeat(27)}`),
    ],
    ['without its issuer (RFC 9207)', (q) => without(q, 'iss')],
    ['of another issuer: mix-up', (q) => having(q, 'iss', 'https://evil.test')],
    ['of nearly the issuer', (q) => having(q, 'iss', `${ISSUER}/`)],
    ['with an ID token in front', (q) => `${q}&id_token=e30.e30.e30`],
    ['in a JWT', (q) => `${q}&response=e30.e30.e30`],
    ['of an endless length', (q) => `${q}&x=${'x'.repeat(9000)}`],
  ];
  for (const [name, query] of RESPONSES)
    test(`${name} signs nobody in`, async () => {
      const refused = await finish(query(await comeBack()));
      assert.equal(refused.told, FAILED, refused.reason);
      await assertNobody();
    });

  test('of another form uses nothing up', async () => {
    const query = await comeBack();
    for (const more of ['&code=other', '&error=access_denied', '&session_state=1&session_state=2'])
      assert.equal((await finish(`${query}${more}`)).told, FAILED);
    assert.equal((await finish(query)).told, '303');
  });

  test('of a provider that does not name itself needs no name, but no wrong one either', async () => {
    stage.provider.metadata = { authorization_response_iss_parameter_supported: undefined };
    worker = await stage.worker();
    assert.equal((await finish(having(await comeBack(), 'iss', 'https://evil.test'))).told, FAILED);
    assert.equal((await finish(without(await comeBack(), 'iss'))).told, '303');
  });

  test('that is posted is not taken', async () => {
    const query = (await comeBack()).toString();
    assert.equal(
      (await browser.open(worker, CALLBACK, { query, method: 'POST' })).told,
      'method-not-allowed',
    );
  });

  test('is taken in the browser that began: login CSRF', async () => {
    const attacker = new Browser();
    const query = await comeBack(attacker, 'mal');
    const victim = await finish(query);
    assert.deepEqual([victim.told, victim.setCookies], [FAILED, []]);
    await assertNobody();
    assert.equal((await finish(query, attacker)).told, '303');
  });

  test('does not replace a session that is there by one of an attacker', async () => {
    await browser.signIn(worker, stage);
    const attacker = new Browser();
    assert.equal((await finish(await comeBack(attacker, 'mal'))).told, FAILED);
    assert.equal((await browser.fetch(worker, '/')).identity?.consumer, 'ann');
  });

  test('with a stolen code in a browser of its own ends at PKCE', async () => {
    const stolen = (await comeBack()).get('code') ?? '';
    const attacker = new Browser();
    const refused = await finish(having(await comeBack(attacker, 'mal'), 'code', stolen), attacker);
    assert.deepEqual([refused.told, refused.reason], [FAILED, 'the provider answers 400 invalid_grant']);
    await assertNobody(attacker);
  });

  test('with cookies of two sign-ins swapped is neither', async () => {
    await browser.open(worker, '/a');
    const query = await comeBack();
    const [first = '', second = ''] = browser.cookies.keys();
    const [a = '', b = ''] = browser.cookies.values();
    browser.cookies.set(first, b).set(second, a);
    assert.equal((await finish(query)).told, FAILED);
  });

  test('with a cookie of a sign-in that somebody changed', async () => {
    const query = await comeBack();
    const [[name, value] = ['', '']] = browser.cookies;
    browser.cookies.set(name, `${value.slice(0, -1)}${value.endsWith('A') ? 'B' : 'A'}`);
    assert.equal((await finish(query)).told, FAILED);
  });

  test('after ten minutes is too late', async () => {
    const query = await comeBack();
    stage.nowMs += 600_001;
    assert.equal((await finish(query)).told, FAILED);
  });
});

describe('a way back that is taken again', () => {
  test('in the same browser, on another worker, with its cookies restored', async () => {
    const query = await comeBack();
    const before = copyOf(browser);
    assert.equal((await finish(query)).told, '303');
    const asked = stage.provider.count('/token');
    for (const again of [browser, copyOf(before)])
      for (const at of [worker, await stage.worker()])
        assert.equal((await finish(query, again, at)).told, FAILED);
    assert.equal(stage.provider.count('/token'), asked, 'a code that comes twice would be taken for stolen');
  });

  test('at the same time is redeemed once', async () => {
    const query = await comeBack();
    const replies = await Promise.all(Array.from({ length: 5 }, () => finish(query, copyOf(browser))));
    assert.deepEqual(replies.map(({ told }) => told).sort(), [
      '303',
      ...Array.from({ length: 4 }, () => 'identity-unavailable'),
    ]);
    assert.equal(stage.provider.count('/token'), 1);
  });
});

describe('item 35: the ID token', () => {
  const key = () => stage.provider.key;
  type Claims = Readonly<Record<string, unknown>>;
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString('base64url');
  const signedBy =
    (header: Json = {}) =>
    (claims: Claims) =>
      mint(key(), claims, header);

  const CLAIMS: readonly (readonly [name: string, claims: Claims])[] = [
    ['another nonce', { nonce: 'other' }],
    ['no nonce', { nonce: undefined }],
    ['another issuer', { iss: 'https://evil.test' }],
    ['another audience', { aud: 'other' }],
    ['no audience', { aud: undefined }],
    ['several audiences and nobody it was issued to', { aud: [CLIENT_ID, 'other'] }],
    ['somebody else it was issued to', { azp: 'other' }],
    ['no subject', { sub: undefined }],
    ['an empty subject', { sub: '' }],
    ['its time over', { iat: 1, exp: 2 }],
    ['no end', { exp: undefined }],
    ['an end that is text', { exp: '9999999999' }],
    ['a time to come', { nbf: 9_999_999_999 }],
    ['another access token', { at_hash: halfHash('other', 'ES256') }],
  ];
  for (const [name, claims] of CLAIMS)
    test(`with ${name} signs nobody in`, async () => {
      stage.provider.claims = claims;
      const refused = await finish(await comeBack());
      assert.equal(refused.told, FAILED, refused.reason);
      await assertNobody();
    });

  const SIGNATURES: readonly (readonly [name: string, sign: (claims: Claims) => string])[] = [
    ['alg none', (claims) => `${part({ alg: 'none' })}.${part(claims)}.`],
    ['alg none in capitals', (claims) => `${part({ alg: 'NONE', kid: 'login-1' })}.${part(claims)}.AA`],
    ['the client’s secret', (claims) => mintSecret(CLIENT_SECRET, claims)],
    ['the public key as a secret', (claims) => mintSecret(key().pem, claims, { kid: 'login-1' })],
    ['a key of somebody else by the same name', (claims) => mint(tokenKey('ES256', 'login-1'), claims)],
    ['a key it brings along', (claims) => mint(tokenKey(), claims, { kid: 'login-1', jwk: tokenKey().jwk })],
    [
      'a key elsewhere',
      (claims) => mint(tokenKey(), claims, { kid: 'login-1', jku: 'https://evil.test/jwks' }),
    ],
    ['another algorithm', signedBy({ alg: 'ES384' })],
    ['a critical extension', signedBy({ crit: ['b64'], b64: false })],
    [
      'its claims changed',
      (claims) => mint(key(), claims).replace(/\.[^.]+\./, `.${part({ ...claims, sub: 'mal' })}.`),
    ],
  ];
  for (const [name, sign] of SIGNATURES)
    test(`signed with ${name} signs nobody in`, async () => {
      stage.provider.sign = sign;
      const refused = await finish(await comeBack());
      assert.equal(refused.told, FAILED, refused.reason);
      assert.equal(
        stage.provider.requests.some(({ url }) => !url.startsWith(ISSUER)),
        false,
      );
      await assertNobody();
    });

  test('signed with a key that is unknown is looked up once, and then cannot be judged for a while', async () => {
    stage.provider.sign = (claims) => mint(tokenKey('ES256', 'unknown'), claims);
    const told: string[] = [];
    for (let i = 0; i < 4; i++) told.push((await finish(await comeBack())).told);
    assert.deepEqual(told, [FAILED, 'identity-unavailable', 'identity-unavailable', 'identity-unavailable']);
    assert.equal(stage.provider.count('/jwks'), 2);
  });

  test('that names a claim twice is read by nobody', async () => {
    stage.provider.sign = (claims) => {
      const payload = JSON.stringify(claims).replace('{', '{"sub":"mal",');
      return mint(key(), payload);
    };
    assert.equal((await finish(await comeBack())).told, FAILED);
  });

  test('that is not there signs nobody in', async () => {
    stage.provider.tokens = { id_token: undefined };
    assert.equal((await finish(await comeBack())).told, 'identity-unavailable');
    await assertNobody();
  });

  test('and userinfo of different subjects sign nobody in', async () => {
    worker = await stage.worker({ userinfo: true });
    stage.provider.userinfo = { sub: 'mal' };
    assert.notEqual((await finish(await comeBack())).told, '303');
    await assertNobody();
  });
});

describe('item 35: the redirect URI', () => {
  const HOSTS: readonly Readonly<Record<string, string>>[] = [
    { host: 'evil.test' },
    { 'x-forwarded-host': 'evil.test' },
    { forwarded: 'host=evil.test;proto=http' },
    { 'x-forwarded-proto': 'http' },
    { 'x-original-url': 'https://evil.test/' },
  ];
  for (const headers of HOSTS)
    test(`is the document’s, whatever ${Object.keys(headers)[0]} says`, async () => {
      const sent = await browser.open(worker, '/', { headers });
      assert.equal(new URL(sent.location).searchParams.get('redirect_uri'), ORIGIN + CALLBACK);
      assert.doesNotMatch(sent.visible, /evil/);
    });
});

describe('what a provider says of an error', () => {
  const ERRORS: readonly (readonly [query: Readonly<Record<string, string>>, told: string])[] = [
    [{ error: 'access_denied' }, 'forbidden/denied'],
    [{ error: 'access_denied', error_description: '<script>alert(1)</script>' }, 'forbidden/denied'],
    [{ error: '<script>alert(1)</script>' }, 'forbidden/denied'],
    [{ error: 'x\r\nSet-Cookie: evil=1' }, 'forbidden/denied'],
    [{ error: 'login_required', error_uri: 'https://evil.test/<script>' }, 'forbidden/denied'],
    [{ error: 'temporarily_unavailable' }, 'identity-unavailable'],
    [{ error: 'server_error', error_description: 'evil' }, 'identity-unavailable'],
    [{ error: 'access_denied', iss: 'https://evil.test' }, FAILED],
    [{ error: 'access_denied', iss: '' }, FAILED],
  ];
  for (const [said, told] of ERRORS)
    test(`${JSON.stringify(said)} is ${told}, and never shown`, async () => {
      const query = await comeBack();
      query.delete('code');
      for (const [name, value] of Object.entries(said)) query.set(name, value);
      const refused = await finish(query);
      assert.equal(refused.told, told, refused.reason);
      for (const shown of [refused.visible, refused.reason])
        assert.doesNotMatch(shown, /script|evil|[^ -~\n]/);
      await assertNobody();
    });
});

describe('a provider in trouble', () => {
  test('that was never there: nobody signs in, and it heals by itself', async () => {
    stage.provider.isDown = true;
    worker = await stage.worker();
    const sent = await browser.open(worker, '/');
    assert.equal(sent.told, 'identity-unavailable');
    assert.deepEqual(sent.setCookies, []);
    stage.provider.isDown = false;
    worker = await stage.worker();
    assert.equal((await browser.signIn(worker, stage)).told, '303');
  });

  const METADATA: readonly (readonly [name: string, metadata: Readonly<Record<string, unknown>>])[] = [
    ['another issuer', { issuer: 'https://evil.test' }],
    ['its issuer with a slash', { issuer: `${ISSUER}/` }],
    ['no authorization endpoint', { authorization_endpoint: undefined }],
    ['an endpoint without TLS', { token_endpoint: 'http://login.test/token' }],
    ['an endpoint that is a script', { authorization_endpoint: 'javascript:alert(1)' }],
    ['an endpoint with a password', { end_session_endpoint: 'https://a:b@evil.test/' }],
  ];
  for (const [name, metadata] of METADATA)
    test(`that publishes ${name} is none`, async () => {
      stage.provider.metadata = metadata;
      worker = await stage.worker();
      assert.equal((await browser.open(worker, '/')).told, 'identity-unavailable');
    });

  const TROUBLES: readonly (readonly [
    name: string,
    answer: { status?: number; type?: string; body: string },
  ])[] = [
    ['HTML', { type: 'text/html', body: '<script>evil</script>' }],
    ['an error in HTML', { status: 502, type: 'text/html', body: '<h1>evil</h1>' }],
    ['garbage', { body: '\u0000\u0001evil' }],
    ['nothing', { body: '' }],
    ['a list', { body: '["evil"]' }],
    ['JSON without end', { body: '{"access_token":"evil' }],
    ['JSON too deep', { body: `${'['.repeat(100_000)}` }],
    ['more than is taken', { body: 'x'.repeat(300_000) }],
    ['a redirect', { status: 302, body: '' }],
    ['an odd status', { status: 999, body: '{}' }],
    ['two tokens', { body: '{"access_token":"evil","access_token":"b","token_type":"Bearer"}' }],
  ];
  for (const [name, answer] of TROUBLES)
    test(`whose token endpoint answers ${name}: later, and nothing of it is told`, async () => {
      const query = await comeBack();
      stage.provider.intercept = ({ url }) => (url.endsWith('/token') ? answer : undefined);
      const failed = await finish(query);
      assert.equal(failed.told, 'identity-unavailable', failed.reason);
      for (const shown of [failed.visible, failed.reason]) assert.doesNotMatch(shown, /evil/);
      await assertNobody();
    });

  test('that is too slow is given up', async () => {
    const query = await comeBack();
    stage.provider.intercept = ({ url, timeoutMs }) => {
      if (!url.endsWith('/token')) return undefined;
      assert.equal(timeoutMs, 5000);
      throw new NetworkError('timeout', 'login.test did not answer in time');
    };
    const failed = await finish(query);
    assert.deepEqual(
      [failed.told, failed.reason],
      ['identity-unavailable', 'login.test did not answer in time'],
    );
  });

  test('that was down on the way back is asked again by the same address a little later', async () => {
    const query = await comeBack();
    stage.provider.isDown = true;
    assert.equal((await finish(query)).told, 'identity-unavailable');
    stage.provider.isDown = false;
    assert.equal(
      (await finish(query)).told,
      'identity-unavailable',
      'not at once: it may be under way elsewhere',
    );
    stage.nowMs += 25_000;
    assert.equal((await finish(query)).told, '303');
  });
});

function without(query: URLSearchParams, name: string): string {
  const rest = new URLSearchParams(query);
  rest.delete(name);
  return rest.toString();
}

function having(query: URLSearchParams, name: string, value: string): string {
  const rest = new URLSearchParams(query);
  rest.set(name, value);
  return rest.toString();
}
