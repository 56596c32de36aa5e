import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  Browser,
  LoginStage,
  ORIGIN,
  type Reply,
  SESSION_COOKIE,
  type Worker,
} from '../../../test/fixtures/login-stage.ts';
import { mint, mintSecret, tokenKey } from '../../../test/fixtures/tokens.ts';

const NOTICE = '/.sallyport/backchannel';
const LOGOUT = '/.sallyport/logout';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const HOUR_MS = 3_600_000;

let stage: LoginStage;
let browser: Browser;
let worker: Worker;
let other: Worker;
beforeEach(async () => {
  stage = new LoginStage({ config: { backchannelPath: NOTICE } });
  browser = new Browser();
  worker = await stage.worker();
  other = await stage.worker();
  assert.equal((await browser.signIn(worker, stage)).told, '303');
});
afterEach(() => stage.close());

const notify = (to: Worker, token: string): Promise<Reply> =>
  to.ask(NOTICE, {
    method: 'POST',
    headers: FORM,
    body: new URLSearchParams({ logout_token: token }).toString(),
  });

/** The same cookies in another place. */
function copyOf({ cookies }: Browser): Browser {
  const copy = new Browser();
  for (const [name, value] of cookies) copy.cookies.set(name, value);
  return copy;
}

describe('signing out here', () => {
  const signOut = (): Promise<Reply> => browser.fetch(worker, LOGOUT, { method: 'POST' });

  it('ends the cookies, and goes on to the provider to end the session there', async () => {
    const out = await signOut();
    assert.equal(out.told, '303');
    const url = new URL(out.location);
    assert.equal(url.origin + url.pathname, 'https://login.test/logout');
    const { id_token_hint: hint = '', ...others } = Object.fromEntries(url.searchParams);
    assert.deepEqual(others, { client_id: 'app', post_logout_redirect_uri: `${ORIGIN}/` });
    assert.equal(JSON.parse(Buffer.from(hint.split('.')[1] ?? '', 'base64url').toString()).sub, 'ann');
    assert.deepEqual([...browser.cookies.keys()], []);
  });

  it('ends the session on every worker, copies of its cookie included', async () => {
    const copy = copyOf(browser);
    assert.equal((await copy.fetch(other, '/')).told, 'continue');
    await signOut();
    const stolen = await copy.fetch(other, '/');
    assert.deepEqual([stolen.told, stolen.reason], ['invalid-credential/session', 'the session was ended']);
  });

  it('lets the user in again, be it in the same millisecond and in the same session of the provider', async () => {
    stage.provider.claims = { sid: 'the-same' };
    browser = new Browser();
    await browser.signIn(worker, stage);
    await signOut();
    assert.equal((await browser.signIn(other, stage)).told, '303');
    assert.equal((await browser.fetch(worker, '/')).told, 'continue');
  });

  it('leaves others of the user alone', async () => {
    const phone = new Browser();
    await phone.signIn(worker, stage);
    await signOut();
    assert.equal((await phone.fetch(worker, '/')).told, 'continue');
  });

  it('works while the provider is down, and where it ends no sessions', async () => {
    for (const metadata of [undefined, { end_session_endpoint: undefined }]) {
      stage = new LoginStage({ config: { postLogoutRedirect: 'https://www.app.test/bye' } });
      if (metadata !== undefined) stage.provider.metadata = metadata;
      worker = await stage.worker();
      browser = new Browser();
      await browser.signIn(worker, stage);
      stage.provider.isDown = metadata === undefined;
      const out = await browser.fetch(metadata === undefined ? await stage.worker() : worker, LOGOUT, {
        method: 'POST',
      });
      assert.deepEqual([out.told, out.location], ['303', 'https://www.app.test/bye']);
      assert.deepEqual([...browser.cookies.keys()], []);
    }
  });

  it('does not wait for a provider that is known and down', async () => {
    stage.provider.isDown = true;
    assert.match((await signOut()).location, /^https:\/\/login\.test\/logout\?/);
  });

  it('takes a link of a page of this site', async () => {
    const headers = { 'sec-fetch-site': 'same-origin' };
    assert.equal((await browser.open(worker, LOGOUT, { headers })).told, '303');
  });

  it('says nothing to the provider about a session that is none', async () => {
    browser.cookies.set(SESSION_COOKIE, '1forged');
    const out = await signOut();
    assert.equal(new URL(out.location).searchParams.has('id_token_hint'), false);
  });

  it('names the session of which a token is too long for a URL by the client alone', async () => {
    stage.provider.claims = { groups: Array.from({ length: 600 }, (_, i) => `group-${i}`) };
    browser = new Browser();
    await browser.signIn(worker, stage);
    const out = await signOut();
    assert.deepEqual([out.told, new URL(out.location).searchParams.has('id_token_hint')], ['303', false]);
  });
});

describe('a notice of the provider', () => {
  it('ends the session it names, on every worker', async () => {
    const phone = new Browser();
    await phone.signIn(worker, stage);
    assert.equal((await notify(other, stage.provider.logoutToken({ sid: 'sid-1', sub: 'ann' }))).told, '200');
    assert.equal((await browser.fetch(worker, '/')).reason, 'the session was ended');
    assert.equal((await phone.fetch(worker, '/')).told, 'continue');
  });

  it('ends every session of the user it names, and none begun later', async () => {
    const phone = new Browser();
    const mal = new Browser();
    await phone.signIn(worker, stage);
    await mal.signIn(worker, stage, '/', 'mal');
    assert.equal((await notify(worker, stage.provider.logoutToken({ sub: 'ann' }))).told, '200');
    for (const device of [copyOf(browser), phone])
      assert.equal((await device.fetch(other, '/')).reason, 'the session was ended');
    assert.equal((await mal.fetch(other, '/')).told, 'continue');
    assert.equal((await browser.signIn(other, stage)).told, '303');
    assert.equal((await browser.fetch(worker, '/')).told, 'continue');
    stage.nowMs += 1;
    await notify(worker, stage.provider.logoutToken({ sub: 'ann' }));
    assert.equal((await browser.fetch(other, '/')).reason, 'the session was ended');
  });

  it('that comes while a sign-in is being completed ends that one too', async () => {
    const device = new Browser();
    const sent = await device.open(worker, '/');
    const query = stage.provider.authorize(sent.location).toString();
    let isSent = false;
    stage.provider.intercept = async ({ url }): Promise<undefined> => {
      if (isSent || !url.endsWith('/token')) return;
      isSent = true;
      stage.nowMs += 5;
      assert.equal((await notify(other, stage.provider.logoutToken({ sub: 'ann' }))).told, '200');
    };
    assert.equal((await device.open(worker, '/.sallyport/callback', { query })).told, '303');
    assert.equal((await device.fetch(worker, '/')).reason, 'the session was ended');
    assert.equal((await device.signIn(worker, stage)).told, '303');
    assert.equal((await device.fetch(other, '/')).told, 'continue');
  });

  it('ends sessions that the provider gave no name when it names one of their user', async () => {
    stage.provider.claims = { sid: undefined };
    browser = new Browser();
    await browser.signIn(worker, stage);
    await notify(worker, stage.provider.logoutToken({ sid: 'any', sub: 'ann' }));
    assert.equal((await browser.fetch(other, '/')).reason, 'the session was ended');
  });

  it('is not forgotten as long as the session could live', async () => {
    await notify(worker, stage.provider.logoutToken({ sid: 'sid-1' }));
    for (let minutes = 0; minutes < 8 * 60; minutes += 20) {
      stage.nowMs += HOUR_MS / 3;
      assert.notEqual((await copyOf(browser).fetch(other, '/')).told, 'continue');
    }
  });

  it('holds for other routes of the client, whose sessions live longer', async () => {
    const long = { session: { secrets: ['env:SESSION_A'], absolute: '24h', idle: '24h' } };
    const route = await stage.worker(long, worker);
    browser = new Browser();
    await browser.signIn(route, stage);
    assert.equal((await notify(worker, stage.provider.logoutToken({ sub: 'ann' }))).told, '200');
    stage.nowMs += 20 * HOUR_MS;
    assert.equal((await browser.fetch(route, '/')).reason, 'the session was ended');
  });

  it('is done for a session that is unknown here', async () => {
    const done = await notify(worker, stage.provider.logoutToken({ sid: 'unknown' }));
    assert.deepEqual([done.told, done.header('cache-control')], ['200', 'no-store']);
  });

  it('cannot be judged while the keys of the provider are unknown', async () => {
    const token = stage.provider.logoutToken({ sid: 'sid-1' });
    stage.provider.isDown = true;
    const fresh = await stage.worker();
    assert.equal((await notify(fresh, token)).told, 'identity-unavailable');
    stage.provider.isDown = false;
    assert.equal((await notify(worker, token)).told, '200');
  });

  const NOW_S = Math.floor(new LoginStage().nowMs / 1000);
  const sound = {
    iss: 'https://login.test',
    aud: 'app',
    iat: NOW_S,
    exp: NOW_S + 60,
    jti: 'j',
    sid: 'sid-1',
    events: { [EVENT]: {} },
  };
  const key = () => stage.provider.key;
  const FORGERIES: readonly (readonly [name: string, token: () => string])[] = [
    ['nothing', () => ''],
    ['no token', () => 'token'],
    [
      'alg none',
      () =>
        `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(sound)).toString('base64url')}.`,
    ],
    ['a key of somebody else', () => mint(tokenKey('ES256', 'login-1'), sound)],
    ['a public key as a secret', () => mintSecret(key().pem, sound, { kid: 'login-1' })],
    ['the client’s secret', () => mintSecret('client-secret-0123456789abcdef', sound)],
    ['another type', () => mint(key(), sound, { typ: 'at+jwt' })],
    ['an ID token', () => mint(key(), { ...sound, events: undefined, nonce: 'n', sub: 'ann' })],
    ['a nonce', () => mint(key(), { ...sound, nonce: 'n' })],
    ['another issuer', () => mint(key(), { ...sound, iss: 'https://evil.test' })],
    ['another audience', () => mint(key(), { ...sound, aud: 'other' })],
    ['no audience', () => mint(key(), { ...sound, aud: undefined })],
    ['no events', () => mint(key(), { ...sound, events: undefined })],
    ['another event', () => mint(key(), { ...sound, events: { other: {} } })],
    ['an event that is text', () => mint(key(), { ...sound, events: { [EVENT]: 'x' } })],
    ['events that are a list', () => mint(key(), { ...sound, events: [EVENT] })],
    ['an inherited event', () => mint(key(), { ...sound, events: { __proto__: { [EVENT]: {} } } })],
    ['nobody named', () => mint(key(), { ...sound, sid: undefined })],
    ['a name that is a list', () => mint(key(), { ...sound, sid: ['sid-1'] })],
    ['no id', () => mint(key(), { ...sound, jti: undefined })],
    ['no time', () => mint(key(), { ...sound, iat: undefined })],
    ['an old time', () => mint(key(), { ...sound, iat: NOW_S - 400, exp: NOW_S + 400 })],
    ['its time over', () => mint(key(), { ...sound, iat: NOW_S - 200, exp: NOW_S - 61 })],
    ['a time to come', () => mint(key(), { ...sound, iat: NOW_S + 400, exp: NOW_S + 500 })],
    ['a critical extension', () => mint(key(), sound, { crit: ['x'], x: 1 })],
  ];
  for (const [name, token] of FORGERIES)
    it(`that is ${name} ends nothing`, async () => {
      const refused = await notify(worker, token());
      assert.equal(refused.told, 'invalid-credential/logout-token');
      assert.ok(refused.decision?.kind === 'reject' && refused.decision.error.status === 400);
      assert.equal((await browser.fetch(worker, '/')).told, 'continue');
    });

  it('is heard once', async () => {
    const token = stage.provider.logoutToken({ sub: 'ann' });
    assert.equal((await notify(worker, token)).told, '200');
    await browser.signIn(worker, stage);
    stage.nowMs += 1000;
    assert.equal((await notify(other, token)).reason, 'the logout token was used before');
    assert.equal((await browser.fetch(worker, '/')).told, 'continue');
  });

  const MESSAGES: readonly (readonly [name: string, body: (token: string) => string | Uint8Array])[] = [
    ['two tokens', (token) => `logout_token=${token}&logout_token=${token}`],
    ['another name', (token) => `id_token=${token}`],
    ['more than a form', (token) => `logout_token=${token}&x=${'x'.repeat(200_000)}`],
    ['JSON', (token) => JSON.stringify({ logout_token: token })],
    ['bytes that are no UTF-8', (token) => Buffer.from(`logout_token=${token}&x=\xff`, 'latin1')],
  ];
  for (const [name, body] of MESSAGES)
    it(`with ${name} is none`, async () => {
      const text = body(stage.provider.logoutToken({ sub: 'ann' }));
      const refused = await worker.ask(NOTICE, { method: 'POST', headers: FORM, body: text });
      assert.equal(refused.told, 'invalid-credential/logout-token');
    });
});
