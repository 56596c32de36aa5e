import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  Browser,
  CALLBACK,
  LoginStage,
  ORIGIN,
  SCRIPT,
  SESSION_COOKIE,
} from '../../../test/fixtures/login-stage.ts';
import { remote } from '../../../test/fixtures/nobody-there.ts';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { DEFAULT_NOW_MS, type Edit } from '../../../test/fixtures/policy-context.ts';
import { createLocalCounters } from '../../state/index.ts';
import { oidcLogin } from './policy.ts';

runPolicyCases(oidcLogin, new URL('cases.json', import.meta.url));

const MINUTE_MS = 60_000;

let stage: LoginStage;
let browser: Browser;
beforeEach(() => {
  stage = new LoginStage();
  browser = new Browser();
});
afterEach(() => stage.close());

describe('signing in', () => {
  it('leads to the provider with everything that the flow stands on', async () => {
    const worker = await stage.worker({ scopes: ['openid', 'email'], parameters: { prompt: 'login' } });
    const sent = await browser.open(worker, '/orders', { query: 'page=2' });
    assert.equal(sent.told, '302');
    const url = new URL(sent.location);
    assert.equal(url.origin + url.pathname, 'https://login.test/auth');
    const { state, nonce, code_challenge: challenge, ...others } = Object.fromEntries(url.searchParams);
    assert.deepEqual(others, {
      tenant: '1',
      prompt: 'login',
      response_type: 'code',
      client_id: 'app',
      redirect_uri: `${ORIGIN}${CALLBACK}`,
      scope: 'openid email',
      code_challenge_method: 'S256',
    });
    for (const random of [state, nonce, challenge])
      assert.ok(random !== undefined && random.length >= 40, random);
    assert.equal(new Set([state, nonce, challenge]).size, 3);
    assert.equal(sent.header('cache-control'), 'no-store');
  });

  it('leads back to the page that was asked for, as whom the token names', async () => {
    stage.provider.claims = { groups: ['staff'], scope: 'orders.read' };
    const worker = await stage.worker();
    const back = await browser.signIn(worker, stage, '/reports/7');
    assert.deepEqual([back.told, back.location], ['303', `${ORIGIN}/reports/7`]);
    assert.equal(back.header('referrer-policy'), 'no-referrer');
    const page = await browser.open(worker, '/reports/7');
    assert.equal(page.told, 'continue', page.reason);
    const { consumer, groups, scopes, claims, credential } = page.identity ?? assert.fail('nobody');
    assert.deepEqual([consumer, groups, scopes, claims.sid], ['ann', ['staff'], ['orders.read'], 'sid-1']);
    assert.equal(credential?.kind, 'oidc-login');
    // Nothing is left of the sign-in, and nothing of the session goes on.
    assert.deepEqual([...browser.cookies.keys()], [SESSION_COOKIE]);
    assert.deepEqual(page.edits, [['removeRequestCookie', SESSION_COOKIE]]);
  });

  it('holds for scripts, and for other workers', async () => {
    await browser.signIn(await stage.worker(), stage);
    const other = await stage.worker();
    assert.equal((await browser.fetch(other, '/api', { method: 'POST' })).identity?.consumer, 'ann');
  });

  it('of several tabs at once leads each to its own page', async () => {
    const worker = await stage.worker();
    const tabs = ['/a', '/b', '/c'];
    const sent = await Promise.all(tabs.map((path) => browser.open(worker, path)));
    const backs = [];
    for (const { location } of sent.reverse()) {
      const query = stage.provider.authorize(location).toString();
      backs.push((await browser.open(worker, CALLBACK, { query })).location);
    }
    assert.deepEqual(
      backs,
      ['/c', '/b', '/a'].map((path) => ORIGIN + path),
    );
  });

  it('never keeps more than four tabs waiting', async () => {
    const worker = await stage.worker();
    for (let i = 0; i < 20; i++) {
      stage.nowMs += 1000;
      await browser.open(worker, `/${i}`);
    }
    assert.equal(browser.cookies.size, 4);
  });

  it('begins at its own path too, for pages that are refused', async () => {
    const worker = await stage.worker({ unauthenticated: 401 });
    assert.equal((await browser.open(worker, '/')).told, 'unauthenticated/missing');
    const sent = await browser.open(worker, '/.sallyport/login', { query: 'return_to=%2Forders%3Fpage%3D2' });
    const query = stage.provider.authorize(sent.location).toString();
    assert.equal((await browser.open(worker, CALLBACK, { query })).location, `${ORIGIN}/orders?page=2`);
  });

  it('takes more claims where they are asked for, never other ones', async () => {
    stage.provider.userinfo = { groups: ['staff'], iss: 'https://evil.test', email: 'ann@app.test' };
    const worker = await stage.worker({ userinfo: true });
    await browser.signIn(worker, stage);
    for (const one of [worker, await stage.worker({ userinfo: true })]) {
      const { identity } = await browser.open(one, '/');
      assert.deepEqual(identity?.groups, ['staff']);
      assert.deepEqual([identity.claims.iss, identity.claims.email], ['https://login.test', 'ann@app.test']);
    }
  });

  it('goes on by a page of its own where the cookie is strict', async () => {
    const worker = await stage.worker({ cookie: { sameSite: 'strict' } });
    const back = await browser.signIn(worker, stage, '/a?b="><script>');
    assert.equal(back.told, '200');
    assert.match(back.visible, /content="0;url=https:\/\/app\.test\/a\?b=&#34;&#62;&#60;script&#62;"/);
    assert.doesNotMatch(back.visible, /<script/);
  });

  it('works without TLS on loopback', async () => {
    const worker = await stage.worker({ publicUrl: 'http://127.0.0.1:8080' });
    await browser.signIn(worker, stage);
    assert.deepEqual([...browser.cookies.keys()], ['sallyport']);
    assert.equal((await browser.open(worker, '/')).told, 'continue');
  });

  it('keeps large sessions in several cookies', async () => {
    stage.provider.claims = { groups: Array.from({ length: 300 }, (_, i) => `group-${i}`) };
    const worker = await stage.worker();
    await browser.signIn(worker, stage);
    assert.ok(browser.cookies.size > 1);
    assert.equal((await browser.open(await stage.worker(), '/')).identity?.groups.length, 300);
  });

  it('that no browser could keep fails, and says so in the record', async () => {
    stage.provider.claims = { picture: 'x'.repeat(20_000) };
    const back = await browser.signIn(await stage.worker(), stage);
    assert.match(back.told, /^threw Error: the session is larger than cookies can carry/);
    assert.deepEqual(back.setCookies, []);
  });
});

describe('who is not let on though he is signed in', () => {
  const known = { disabled: 'disabled', ann: { name: 'ann', groups: ['partners'] } } as const;
  const open = (claims: object) => new LoginStage({ config: { claims }, deps: { known } });

  it('is a stranger where consumers have to be declared', async () => {
    stage = open({ declared: true });
    const worker = await stage.worker();
    assert.equal((await browser.signIn(worker, stage, '/', 'mal')).told, 'forbidden/claims');
    assert.deepEqual([...browser.cookies.keys()], []);
    assert.equal((await browser.signIn(worker, stage, '/', 'ann')).told, '303');
    assert.deepEqual((await browser.open(worker, '/')).identity?.groups, ['partners']);
  });

  it('is a disabled consumer, without going round in circles', async () => {
    stage = open({});
    assert.equal(
      (await browser.signIn(await stage.worker(), stage, '/', 'disabled')).told,
      'forbidden/claims',
    );
  });

  it('is a session that is revoked by its id in the record', async () => {
    const revoked: string[] = [];
    const revocations = {
      hasCredential: () => false,
      hasConsumer: () => false,
      hasToken: (issuer: string, id: string) => revoked.includes(`${issuer} ${id}`),
      version: 0,
    };
    stage = new LoginStage({ deps: { more: { revocations } } });
    const worker = await stage.worker();
    await browser.signIn(worker, stage);
    const { identity } = await browser.open(worker, '/');
    revoked.push(`https://login.test ${identity?.credential?.id}`);
    const copy = new Map(browser.cookies);
    assert.equal((await browser.fetch(await stage.worker(), '/')).reason, 'the session is revoked');
    assert.equal((await browser.signIn(worker, stage)).told, '303');
    for (const [name, value] of copy) browser.cookies.set(name, value);
    assert.equal((await browser.fetch(worker, '/')).told, 'invalid-credential/session');
  });

  it('is a consumer who is disabled meanwhile', async () => {
    let isDisabled = false;
    const revocations = {
      hasCredential: () => false,
      hasConsumer: () => isDisabled,
      hasToken: () => false,
      version: 0,
    };
    stage = new LoginStage({ deps: { more: { revocations } } });
    const worker = await stage.worker();
    await browser.signIn(worker, stage);
    assert.equal((await browser.open(worker, '/')).told, 'continue');
    isDisabled = true;
    assert.equal((await browser.open(worker, '/')).told, 'forbidden/claims');
  });
});

describe('a session', () => {
  it('ends when it is not used', async () => {
    const worker = await stage.worker();
    await browser.signIn(worker, stage);
    stage.nowMs += 30 * MINUTE_MS - 1;
    assert.equal((await browser.fetch(worker, '/')).told, 'continue');
    stage.nowMs += 30 * MINUTE_MS;
    const late = await browser.fetch(worker, '/');
    assert.equal(late.told, 'invalid-credential/session');
    assert.deepEqual([...browser.cookies.keys()], []);
    assert.equal((await browser.fetch(worker, '/')).told, 'unauthenticated/missing');
  });

  it('goes on while it is used, up to its absolute end', async () => {
    const worker = await stage.worker({
      session: { secrets: ['env:SESSION_A'], idle: '10m', absolute: '1h' },
    });
    await browser.signIn(worker, stage);
    for (let minute = 5; minute < 60; minute += 5) {
      stage.nowMs = DEFAULT_NOW_MS + minute * MINUTE_MS;
      assert.equal((await browser.fetch(worker, '/')).told, 'continue', `minute ${minute}`);
    }
    stage.nowMs = DEFAULT_NOW_MS + 60 * MINUTE_MS;
    assert.equal((await browser.fetch(worker, '/')).told, 'invalid-credential/session');
  });

  it('is written anew only once in a while, and then by no cache', async () => {
    const worker = await stage.worker();
    await browser.signIn(worker, stage);
    stage.nowMs += 3 * MINUTE_MS - 1;
    assert.deepEqual((await browser.fetch(worker, '/')).setCookies, []);
    stage.nowMs += 1;
    const touched = await browser.fetch(worker, '/');
    assert.equal(touched.setCookies.length, 1);
    assert.ok(touched.edits.some((edit) => edit.join(' ') === 'setResponseHeader Cache-Control no-store'));
    assert.deepEqual((await browser.fetch(worker, '/')).setCookies, []);
  });

  it('outlives a change of secrets as long as the old one is there', async () => {
    await browser.signIn(await stage.worker(), stage);
    const both = await stage.worker({ session: { secrets: ['env:SESSION_B', 'env:SESSION_A'] } });
    assert.equal((await browser.fetch(both, '/')).told, 'continue');
    const without = await stage.worker({ session: { secrets: ['env:SESSION_B'] } });
    assert.equal((await browser.fetch(without, '/')).told, 'invalid-credential/session');
  });

  it('written anew has the newer secret', async () => {
    await browser.signIn(await stage.worker(), stage);
    stage.nowMs += 5 * MINUTE_MS;
    await browser.fetch(
      await stage.worker({ session: { secrets: ['env:SESSION_B', 'env:SESSION_A'] } }),
      '/',
    );
    const newer = await stage.worker({ session: { secrets: ['env:SESSION_B'] } });
    assert.equal((await browser.fetch(newer, '/')).told, 'continue');
  });

  it('ends where its length is changed, since its end may have been told under another', async () => {
    await browser.signIn(await stage.worker(), stage);
    const other = await stage.worker({ session: { secrets: ['env:SESSION_A'], absolute: '12h' } });
    assert.equal((await browser.fetch(other, '/')).told, 'invalid-credential/session');
  });

  for (const [name, config] of [
    ['another client', { clientId: 'other' }],
    ['another provider', { issuer: 'https://other.test' }],
  ] as const)
    it(`is none for ${name}`, async () => {
      await browser.signIn(await stage.worker(), stage);
      assert.equal((await browser.fetch(await stage.worker(config), '/')).told, 'invalid-credential/session');
    });

  it('is remembered: the same request again answers at once', async () => {
    const worker = await stage.worker();
    await browser.signIn(worker, stage);
    const headers = { ...SCRIPT, cookie: [...browser.cookies].map((pair) => pair.join('=')).join('; ') };
    const decision = worker.policy.request?.(worker.context('/', { headers }));
    assert.ok(!(decision instanceof Promise) && decision?.kind === 'continue');
  });
});

describe('the token for the upstream', () => {
  const authorization = (edits: readonly Edit[]) =>
    edits.filter(([, name]) => name === 'Authorization').map(([, , value]) => value);

  it('is the access token, and the session ends with it', async () => {
    const worker = await stage.worker({ upstream: 'access-token' });
    await browser.signIn(worker, stage);
    const page = await browser.fetch(worker, '/', { headers: { authorization: 'Bearer mine' } });
    assert.deepEqual(authorization(page.edits), ['Bearer access-2-ann']);
    stage.nowMs += 300_000;
    assert.equal((await browser.fetch(worker, '/')).told, 'invalid-credential/session');
  });

  it('is the ID token', async () => {
    const worker = await stage.worker({ upstream: 'id-token' });
    await browser.signIn(worker, stage);
    const [value = ''] = authorization((await browser.fetch(worker, '/')).edits);
    assert.equal(value.split('.').length, 3);
    stage.nowMs += 300_000;
    assert.equal((await browser.fetch(worker, '/')).told, 'invalid-credential/session');
  });

  it('is none by default: what the client says goes on, and the access token is not kept', async () => {
    const worker = await stage.worker();
    await browser.signIn(worker, stage);
    assert.deepEqual(authorization((await browser.fetch(worker, '/')).edits), []);
    stage.nowMs += 600_000;
    assert.equal((await browser.fetch(worker, '/')).told, 'continue');
  });
});

describe('counters that answer later', () => {
  it('change nothing', async () => {
    stage = new LoginStage({ state: remote(createLocalCounters()) });
    const worker = await stage.worker();
    await browser.signIn(worker, stage);
    const copy = new Map(browser.cookies);
    assert.equal((await browser.fetch(worker, '/')).identity?.consumer, 'ann');
    await browser.fetch(worker, '/.sallyport/logout', { method: 'POST' });
    for (const [name, value] of copy) browser.cookies.set(name, value);
    assert.equal((await browser.fetch(worker, '/')).reason, 'the session was ended');
  });
});

describe('in shadow', () => {
  it('a session is judged, and nothing else is done', async () => {
    stage.provider.givesRefreshTokens = true;
    const worker = await stage.worker();
    await browser.signIn(worker, stage);
    stage.nowMs += 10 * MINUTE_MS;
    const asked = stage.provider.requests.length;
    const page = await browser.fetch(worker, '/', { shadow: true });
    assert.deepEqual([page.told, page.identity?.consumer, page.setCookies], ['continue', 'ann', []]);
    const query = 'code=1&state=x';
    assert.equal((await browser.open(worker, CALLBACK, { query, shadow: true })).told, 'continue');
    assert.equal(stage.provider.requests.length, asked);
  });
});
