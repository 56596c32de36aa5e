import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Browser, LoginStage, type Worker } from '../../../test/fixtures/login-stage.ts';
import type { Answer } from '../../../test/fixtures/scripted-provider.ts';

const MINUTE_MS = 60_000;
/** Tokens live five minutes and are renewed one ahead. */
const [DUE_MS, OVER_MS] = [4 * MINUTE_MS, 5 * MINUTE_MS];

let stage: LoginStage;
let browser: Browser;
let worker: Worker;
let other: Worker;

async function open(config: Parameters<LoginStage['worker']>[0] = {}): Promise<void> {
  stage = new LoginStage({ config });
  stage.provider.givesRefreshTokens = true;
  browser = new Browser();
  worker = await stage.worker();
  other = await stage.worker();
  assert.equal((await browser.signIn(worker, stage)).told, '303');
}

/** The same browser in an earlier state: requests that were sent before an answer came. */
function asItWas(): Browser {
  const copy = new Browser();
  for (const [name, value] of browser.cookies) copy.cookies.set(name, value);
  return copy;
}

/** Holds every answer of the token endpoint until it is let go. */
function holdTokens(): () => void {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  stage.provider.intercept = async ({ url }): Promise<undefined> => {
    if (url.endsWith('/token')) await held;
  };
  return release;
}

const refreshes = (): number => stage.provider.count('/token') - 1;
afterEach(() => stage.close());

describe('a session whose tokens come to their end', () => {
  beforeEach(() => open({ upstream: 'access-token' }));

  it('is renewed a little ahead, and the browser is told', async () => {
    stage.nowMs += DUE_MS - 1;
    await browser.fetch(worker, '/');
    assert.equal(refreshes(), 0);
    stage.nowMs += 1;
    const renewed = await browser.fetch(worker, '/');
    assert.deepEqual([renewed.told, renewed.setCookies.length, refreshes()], ['continue', 1, 1]);
    assert.ok(
      renewed.edits.some(([, name, value]) => name === 'Authorization' && value === 'Bearer access-3-ann'),
    );
    assert.deepEqual((await browser.fetch(worker, '/')).setCookies, []);
    stage.nowMs += DUE_MS;
    assert.equal((await browser.fetch(other, '/')).told, 'continue');
    assert.equal(refreshes(), 2);
  });

  it('is renewed once for many requests at once', async () => {
    stage.nowMs += OVER_MS;
    const replies = await Promise.all(Array.from({ length: 20 }, () => asItWas().fetch(worker, '/')));
    assert.deepEqual([...new Set(replies.map(({ told }) => told))], ['continue']);
    assert.equal(refreshes(), 1);
  });

  it('is renewed once by all workers: the second goes on with tokens that still hold', async () => {
    stage.nowMs += DUE_MS;
    const release = holdTokens();
    const first = asItWas().fetch(worker, '/');
    const second = await asItWas().fetch(other, '/');
    assert.deepEqual([second.told, second.setCookies], ['continue', []]);
    release();
    assert.equal((await first).told, 'continue');
    assert.equal(refreshes(), 1);
  });

  it('whose tokens are over waits for the worker that renews it, and nobody is signed out', async () => {
    stage.nowMs += OVER_MS;
    const before = asItWas();
    assert.equal((await browser.fetch(worker, '/')).told, 'continue');
    const meanwhile = await before.fetch(other, '/');
    assert.deepEqual([meanwhile.told, meanwhile.setCookies], ['identity-unavailable', []]);
    assert.equal((await browser.fetch(other, '/')).told, 'continue');
    assert.equal(refreshes(), 1);
  });

  it('that missed the answer with its newer self finds it where it was renewed', async () => {
    stage.nowMs += DUE_MS;
    const lost = asItWas();
    await browser.fetch(worker, '/');
    stage.nowMs += 20 * MINUTE_MS;
    const found = await lost.fetch(worker, '/');
    assert.deepEqual([found.told, found.setCookies.length], ['continue', 1]);
    assert.equal((await lost.fetch(other, '/')).told, 'continue');
    assert.equal(refreshes(), 2);
  });

  it('that missed it elsewhere is over after a while, and its cookie is left to what is newer', async () => {
    stage.nowMs += DUE_MS;
    const lost = asItWas();
    await browser.fetch(worker, '/');
    stage.nowMs += 31_000;
    const over = await lost.fetch(other, '/');
    assert.deepEqual([over.told, over.setCookies], ['invalid-credential/session', []]);
    assert.equal((await lost.open(other, '/')).told, '302');
    assert.equal(refreshes(), 1);
  });

  it('goes on while its provider is down, as long as its tokens hold', async () => {
    stage.nowMs += DUE_MS;
    stage.provider.isDown = true;
    assert.equal((await browser.fetch(worker, '/')).told, 'continue');
    stage.nowMs += MINUTE_MS;
    const down = await browser.fetch(worker, '/');
    assert.deepEqual(
      [down.told, down.reason, down.setCookies],
      ['identity-unavailable', 'login.test cannot be reached', []],
    );
    stage.provider.isDown = false;
    stage.nowMs += MINUTE_MS;
    assert.equal((await browser.fetch(worker, '/')).told, 'continue');
  });

  const TROUBLES: readonly (readonly [name: string, answer: Answer])[] = [
    ['an error', { status: 500, body: '{"error":"server_error"}' }],
    ['HTML', { type: 'text/html', body: '<h1>Welcome</h1>' }],
    ['HTML that calls itself JSON', { body: '<h1>Welcome</h1>' }],
    ['nothing', { body: '' }],
    ['too many requests', { status: 429, body: '{"error":"slow_down"}' }],
    ['that it knows no such client', { status: 401, body: '{"error":"invalid_client"}' }],
    ['no token', { body: '{"token_type":"Bearer"}' }],
    ['two tokens', { body: '{"access_token":"a","access_token":"b","token_type":"Bearer"}' }],
    ['a token that fits no header', { body: '{"access_token":"a\\r\\nb: c","token_type":"Bearer"}' }],
    ['a token of another type', { body: '{"access_token":"a","token_type":"dpop"}' }],
  ];
  for (const [name, answer] of TROUBLES)
    it(`is not over because its provider answers ${name}`, async () => {
      stage.nowMs += DUE_MS;
      stage.provider.intercept = ({ url }) => (url.endsWith('/token') ? answer : undefined);
      assert.equal((await browser.fetch(worker, '/')).told, 'continue');
      stage.nowMs += MINUTE_MS;
      const over = await browser.fetch(worker, '/');
      assert.deepEqual([over.told, over.setCookies], ['identity-unavailable', []]);
      assert.doesNotMatch(over.reason, /Welcome|<h1>/);
    });

  it('is over when its provider has ended it, and is not asked about again', async () => {
    stage.nowMs += DUE_MS;
    stage.provider.revokeAll();
    assert.equal((await browser.fetch(worker, '/')).told, 'invalid-credential/session');
    assert.equal((await browser.open(worker, '/')).told, '302');
    assert.equal((await browser.fetch(other, '/')).told, 'continue', 'its tokens still hold');
    assert.equal(refreshes(), 1);
  });

  it('never becomes another user’s', async () => {
    stage.nowMs += DUE_MS;
    stage.provider.claims = { sub: 'mal' };
    const stolen = await browser.fetch(worker, '/');
    assert.deepEqual([stolen.told, stolen.identity], ['invalid-credential/session', undefined]);
  });

  it('never becomes that of another sign-in', async () => {
    stage.nowMs += DUE_MS;
    stage.provider.claims = { nonce: 'other' };
    assert.equal((await browser.fetch(worker, '/')).told, 'invalid-credential/session');
  });

  it('has the claims of the newest token, and none of an older one', async () => {
    stage.nowMs += DUE_MS;
    stage.provider.claims = { groups: ['new'] };
    assert.deepEqual((await browser.fetch(worker, '/')).identity?.groups, ['new']);
    stage.nowMs += DUE_MS;
    stage.provider.claims = {};
    assert.deepEqual((await browser.fetch(worker, '/')).identity?.groups, []);
    assert.deepEqual((await browser.fetch(other, '/')).identity?.groups, []);
  });

  it('is renewed once by a request, however short its tokens live', async () => {
    stage.provider.tokens = { expires_in: 0 };
    stage.nowMs += DUE_MS;
    await browser.fetch(worker, '/');
    assert.equal(refreshes(), 1);
  });

  it('keeps a refresh token that the provider does not change', async () => {
    stage.provider.tokens = { refresh_token: undefined };
    stage.nowMs += DUE_MS;
    assert.equal((await browser.fetch(worker, '/')).told, 'continue');
    assert.equal(refreshes(), 1);
  });
});

describe('a session with claims of the userinfo endpoint', () => {
  beforeEach(async () => {
    await open({ userinfo: true });
    stage.provider.userinfo = { groups: ['old'] };
    stage.nowMs += DUE_MS;
    await browser.fetch(worker, '/');
  });

  it('has the newest of them', async () => {
    assert.deepEqual((await browser.fetch(other, '/')).identity?.groups, ['old']);
    stage.provider.userinfo = {};
    stage.nowMs += DUE_MS;
    assert.deepEqual((await browser.fetch(worker, '/')).identity?.groups, []);
  });

  it('keeps them where the provider tells none, since its refresh token is spent', async () => {
    stage.nowMs += DUE_MS;
    stage.provider.intercept = ({ url }) =>
      url.endsWith('/userinfo') ? { status: 500, body: '' } : undefined;
    assert.deepEqual((await browser.fetch(worker, '/')).identity?.groups, ['old']);
    assert.deepEqual((await browser.fetch(other, '/')).identity?.groups, ['old']);
  });
});

describe('a session of which the upstream gets no token', () => {
  beforeEach(() => open());

  it('goes on for a moment while another worker renews it', async () => {
    stage.nowMs += OVER_MS + 1000;
    const before = asItWas();
    await browser.fetch(worker, '/');
    assert.equal((await before.fetch(other, '/')).told, 'continue');
    assert.equal(refreshes(), 1);
  });

  it('goes on, however late, where another worker has just renewed it', async () => {
    stage.nowMs += OVER_MS + 20 * MINUTE_MS;
    const before = asItWas();
    const release = holdTokens();
    const first = browser.fetch(worker, '/');
    assert.equal((await before.fetch(other, '/')).told, 'identity-unavailable', 'it may come to nothing');
    release();
    assert.equal((await first).told, 'continue');
    assert.equal((await before.fetch(other, '/')).told, 'continue');
    assert.equal(refreshes(), 1);
  });

  it('is held to its provider: who is gone there is gone here', async () => {
    stage.nowMs += DUE_MS;
    stage.provider.revokeAll();
    assert.equal((await browser.fetch(worker, '/')).told, 'invalid-credential/session');
  });
});
