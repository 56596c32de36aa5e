/**
 * What attackers do with sessions and with where a sign-in leads: planted, tossed, mixed, forged and oversized cookies,
 * open redirects, guessing.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { credentialGuard } from '../../src/identity/index.ts';
import {
  Browser,
  CALLBACK,
  LoginStage,
  ORIGIN,
  type Reply,
  SESSION_COOKIE,
  type Worker,
} from '../fixtures/login-stage.ts';
import { CLIENT_SECRET } from '../fixtures/scripted-provider.ts';

const LOGIN = '/.sallyport/login';
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

describe('where a sign-in leads', () => {
  const ELSEWHERE = [
    'https://evil.test',
    '//evil.test',
    '///evil.test',
    '/\\evil.test',
    '\\\\evil.test',
    '/%2f/evil.test',
    '/%5cevil.test',
    '/\t/evil.test',
    '/\r\nLocation: https://evil.test',
    '/.//evil.test',
    'javascript:alert(1)',
    '@evil.test',
    '/.sallyport/logout',
    '/x/../.sallyport/logout?a=b',
    CALLBACK,
    LOGIN,
  ];
  for (const target of ELSEWHERE)
    test(`is never ${JSON.stringify(target)}`, async () => {
      const query = new URLSearchParams({ return_to: target }).toString();
      const sent = await browser.open(worker, LOGIN, { query });
      const back = await finish(stage.provider.authorize(sent.location));
      assert.deepEqual([back.told, back.location], ['303', `${ORIGIN}/`]);
    });

  test('is not what two parameters say', async () => {
    const sent = await browser.open(worker, LOGIN, { query: 'return_to=/a&return_to=//evil.test' });
    assert.equal((await finish(stage.provider.authorize(sent.location))).location, `${ORIGIN}/`);
  });

  test('is not what the way back says', async () => {
    const query = `${await comeBack()}&return_to=${encodeURIComponent('https://evil.test')}`;
    assert.equal((await finish(query)).location, `${ORIGIN}/`);
  });
});

describe('sessions', () => {
  test('have a new name with each sign-in: fixation', async () => {
    const attacker = new Browser();
    await attacker.signIn(worker, stage, '/', 'mal');
    const planted = attacker.cookies.get(SESSION_COOKIE) ?? '';
    browser.cookies.set(SESSION_COOKIE, planted);
    const sent = await browser.open(worker, LOGIN);
    await finish(stage.provider.authorize(sent.location, 'ann'));
    assert.notEqual(browser.cookies.get(SESSION_COOKIE), planted);
    assert.equal((await browser.fetch(worker, '/')).identity?.consumer, 'ann');
    assert.equal((await attacker.fetch(worker, '/')).identity?.consumer, 'mal');
  });

  test('beside another cookie of their name are none, and send nobody round in circles: cookie tossing', async () => {
    await browser.signIn(worker, stage);
    const attacker = new Browser();
    await attacker.signIn(worker, stage, '/', 'mal');
    const [mine, planted] = [browser, attacker].map(({ cookies }) => cookies.get(SESSION_COOKIE));
    for (const cookie of [
      `${SESSION_COOKIE}=${planted}; ${SESSION_COOKIE}=${mine}`,
      `${SESSION_COOKIE}=${mine}; ${SESSION_COOKIE}=${planted}`,
    ]) {
      const page = await new Browser().open(worker, '/', { headers: { cookie } });
      assert.deepEqual([page.told, page.identity], ['invalid-credential/session', undefined]);
    }
  });

  test('are no sign-ins under way, nor the other way round', async () => {
    await browser.signIn(worker, stage);
    const session = (browser.cookies.get(SESSION_COOKIE) ?? '').slice(1);
    const other = new Browser();
    const query = await comeBack(other);
    const [[name, value] = ['', '']] = other.cookies;
    other.cookies.set(name, session);
    assert.equal((await finish(query, other)).told, FAILED);
    other.cookies.clear();
    other.cookies.set(SESSION_COOKIE, `1${value}`);
    assert.equal((await other.fetch(worker, '/')).told, 'invalid-credential/session');
  });

  test('are not made of parts of two', async () => {
    stage.provider.claims = { groups: Array.from({ length: 300 }, (_, i) => `group-${i}`) };
    await browser.signIn(worker, stage);
    const attacker = new Browser();
    await attacker.signIn(worker, stage, '/', 'mal');
    browser.cookies.set(`${SESSION_COOKIE}.1`, attacker.cookies.get(`${SESSION_COOKIE}.1`) ?? '');
    assert.equal((await browser.fetch(worker, '/')).told, 'invalid-credential/session');
  });

  const COOKIES: readonly (readonly [name: string, cookie: string])[] = [
    [
      'five parts of garbage',
      [0, 1, 2, 3, 4]
        .map((i) => `${SESSION_COOKIE}${i === 0 ? '=5' : `.${i}=`}${'A'.repeat(3799)}`)
        .join('; '),
    ],
    ['a thousand names', Array.from({ length: 1000 }, (_, i) => `${SESSION_COOKIE}.t${i}=x`).join('; ')],
    ['a thousand times its name', Array.from({ length: 1000 }, () => `${SESSION_COOKIE}=1x`).join('; ')],
    ['no text at all', `${SESSION_COOKIE}=1\xff\xfe\x80`],
    ['quotes', `${SESSION_COOKIE}="1abc"`],
    ['JSON', `${SESSION_COOKIE}=1{"sub":"admin"}`],
    ['a name with a line of its own', `${SESSION_COOKIE}.t"\x7f=x`],
  ];
  for (const [name, cookie] of COOKIES)
    test(`of ${name} are none, and what is answered stays small`, async () => {
      const page = await new Browser().fetch(worker, '/', { headers: { cookie } });
      assert.match(page.told, /^(invalid-credential\/session|unauthenticated\/missing)$/);
      assert.ok(page.setCookies.length <= 5);
      assert.ok(page.edits.length <= 32);
    });
});

describe('guesses', () => {
  const rules = { failures: 3, windowMs: 60_000, banAfter: 5, banWindowMs: 600_000, banMs: 600_000 };
  const NOTICE = '/notice';
  beforeEach(async () => {
    stage = new LoginStage({
      deps: { more: { guard: credentialGuard(rules) } },
      config: { backchannelPath: NOTICE },
    });
    worker = await stage.worker();
  });

  const GUESSES: readonly (readonly [name: string, guess: (user: Browser) => Promise<Reply>])[] = [
    [
      'cookies that are changed',
      async (user) => {
        const forged = `${(user.cookies.get(SESSION_COOKIE) ?? '').slice(0, -8)}AAAAAAAA`;
        return await new Browser().fetch(worker, '/', { headers: { cookie: `${SESSION_COOKIE}=${forged}` } });
      },
    ],
    [
      'codes',
      async () => {
        const query = await comeBack(browser);
        query.set('code', 'guessed');
        return await finish(query);
      },
    ],
    [
      'sign-ins that are changed',
      async () => {
        const query = await comeBack(browser);
        for (const [name, value] of browser.cookies)
          browser.cookies.set(name, `${value.slice(0, -8)}AAAAAAAA`);
        return await finish(query);
      },
    ],
    [
      'logout tokens',
      async () => {
        const headers = { 'content-type': 'application/x-www-form-urlencoded' };
        return await worker.ask(NOTICE, { method: 'POST', headers, body: 'logout_token=e30.e30.AAAA' });
      },
    ],
  ];
  for (const [name, guess] of GUESSES)
    test(`at ${name} are stopped, and who has a session goes on`, async () => {
      const user = new Browser();
      await user.signIn(worker, stage);
      const told: string[] = [];
      while (told.length < 7 && told.at(-1) !== 'too-many-failures/guard')
        told.push((await guess(user)).told);
      assert.match(told[0] ?? '', /^invalid-credential/);
      assert.equal(told.at(-1), 'too-many-failures/guard');
      assert.equal((await user.fetch(worker, '/')).told, 'continue');
    });

  test('are not what comes of an old secret, of the way back in a history, of time', async () => {
    const old = await stage.worker({ session: { secrets: ['env:SESSION_B'] } });
    await browser.signIn(old, stage);
    const cookie = `${SESSION_COOKIE}=${browser.cookies.get(SESSION_COOKIE)}`;
    const query = await comeBack(new Browser());
    for (let i = 0; i < 20; i++) {
      const page = await new Browser().fetch(worker, '/', { headers: { cookie } });
      assert.equal(page.told, 'invalid-credential/session');
      assert.equal((await finish(query, new Browser())).told, FAILED);
    }
  });
});

describe('nothing secret', () => {
  test('is in what is told to clients and records', async () => {
    const told: string[] = [];
    const note = (reply: Reply) => told.push(reply.visible.replaceAll(/^__Host-.*$/gm, ''), reply.reason);
    const secrets = [CLIENT_SECRET, 'a'.repeat(32)];
    for (const sub of ['ann', 'mal']) {
      const query = await comeBack(browser, sub);
      secrets.push(query.get('code') ?? '');
      if (sub === 'mal') stage.provider.claims = { nonce: 'other' };
      note(await finish(query));
      browser.cookies.clear();
    }
    note(await browser.fetch(worker, '/', { headers: { cookie: `${SESSION_COOKIE}=1c2VjcmV0LWNvb2tpZQ` } }));
    secrets.push('c2VjcmV0LWNvb2tpZQ', 'access-', 'eyJ');
    for (const secret of secrets) for (const text of told) assert.ok(!text.includes(secret), text);
  });
});
