/** `oidc-login` as one of several ways in: its redirects, its cookies and its own paths work there as they do alone. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Browser, LoginStage, SESSION_COOKIE, Worker } from '../../../test/fixtures/login-stage.ts';
import { compileDeps } from '../../../test/fixtures/policy-context.ts';
import type { Member, Policy } from '../../contract/index.ts';
import { allOf } from '../all-of/policy.ts';
import { anyOf } from '../any-of/policy.ts';
import { apiKey } from '../api-key/policy.ts';

const NOTICE = '/.sallyport/backchannel';

const member = (policy: string, instance: Policy): Member => ({
  name: policy,
  policy,
  when: undefined,
  body: 'none',
  instance,
});

let stage: LoginStage;
let browser: Browser;
let worker: Worker;

/** A worker whose policy is made of these and of `oidc-login`. */
async function made(way: 'any-of' | 'all-of'): Promise<Worker> {
  const login = await stage.worker();
  const key = member('api-key', await apiKey.compile({}, compileDeps()));
  const members = [...(way === 'any-of' ? [key] : []), member('oidc-login', login.policy)];
  const deps = compileDeps({ more: { members: async () => members } });
  const policy = way === 'any-of' ? await anyOf.compile([], deps) : await allOf.compile([], deps);
  return new Worker(stage, policy, login.world, login.resources);
}

for (const way of ['any-of', 'all-of'] as const) {
  describe(`oidc-login in ${way}`, () => {
    beforeEach(async () => {
      stage = new LoginStage({ config: { backchannelPath: NOTICE } });
      browser = new Browser();
      worker = await made(way);
    });
    afterEach(() => stage.close());

    it('refuses scripts with its challenge', async () => {
      const refused = await browser.fetch(worker, '/');
      assert.match(refused.told, /^unauthenticated/);
      assert.match(refused.visible, /Cookie realm="api"/);
    });

    it('signs in, and the upstream gets no cookie of it', async () => {
      assert.equal((await browser.signIn(worker, stage, '/orders')).told, '303');
      const page = await browser.open(worker, '/orders');
      assert.equal(page.identity?.consumer, 'ann', page.reason);
      assert.deepEqual(page.edits, [['removeRequestCookie', SESSION_COOKIE]]);
    });

    it('writes the cookie anew while it is used, and takes one away that is over', async () => {
      await browser.signIn(worker, stage);
      stage.nowMs += 600_000;
      assert.equal((await browser.fetch(worker, '/')).setCookies.length, 1);
      stage.nowMs += 3_600_000;
      const over = await browser.fetch(worker, '/');
      assert.deepEqual([over.identity, [...browser.cookies]], [undefined, []]);
    });

    it('hears the provider', async () => {
      await browser.signIn(worker, stage);
      const body = new URLSearchParams({
        logout_token: stage.provider.logoutToken({ sub: 'ann' }),
      }).toString();
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      assert.equal((await worker.ask(NOTICE, { method: 'POST', headers, body })).told, '200');
      assert.equal((await browser.fetch(worker, '/')).identity, undefined);
    });
  });
}
