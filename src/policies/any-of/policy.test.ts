import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { bodyView, compileDeps, policyContext } from '../../../test/fixtures/policy-context.ts';
import { type Scripted, scriptedMembers } from '../../../test/fixtures/scripted-members.ts';
import type { Policy, PolicyDefinition } from '../../contract/index.ts';
import { PolicyFailure } from '../../errors.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { Type } from '../../lib/schema.ts';
import { anyOf } from './policy.ts';

/** The policy over members that say what the config tells them to. */
const scripted = (options: Parameters<typeof scriptedMembers>[0]): PolicyDefinition => ({
  ...anyOf,
  // What a member is, is for the document to check.
  schema: Type.Array(Type.Unknown(), { minItems: 1 }),
  compile: (config, deps) => {
    assert.ok(Array.isArray(config));
    return anyOf.compile(config, { ...deps, members: scriptedMembers(options).members });
  },
});

const cases = new URL('cases.json', import.meta.url);
runPolicyCases(scripted({}), cases);
describe('asynchronously', () => runPolicyCases(scripted({ asynchronous: true }), cases));

async function compiled(
  items: unknown[],
  script: Scripted = scriptedMembers(),
): Promise<Policy & Required<Pick<Policy, 'request'>>> {
  const policy = await anyOf.compile(items, compileDeps({ more: { members: script.members } }));
  const { request } = policy;
  assert.ok(request);
  return { ...policy, request };
}

const on = (consumer: string, more: object = {}) => ({ says: 'on', identity: { consumer }, ...more });
const NOTHING = { says: 'unauthenticated' };

describe('any-of', () => {
  it('makes no promise where no member does', async () => {
    for (const items of [[{ a: NOTHING }, { b: on('b') }], [{ a: NOTHING }]]) {
      const { request } = await compiled(items);
      assert.ok(!(request(policyContext()) instanceof Promise));
    }
  });

  it('asks nobody behind the one that lets on', async () => {
    const script = scriptedMembers();
    const { request } = await compiled([{ a: NOTHING }, { b: on('b') }, { c: on('c') }], script);
    await request(policyContext());
    assert.deepEqual(script.log, ['a request', 'b request']);
  });

  it('says what each member said', async () => {
    const { request } = await compiled([{ a: NOTHING }, { b: { says: 'invalid-credential' }, name: 'x' }]);
    const decision = await request(policyContext());
    assert.equal(decision.kind === 'reject' && decision.error.reason, 'a: a says no.; x: x says no.');
  });

  it('fails as its member does where that might have let on', async () => {
    const cases: [items: unknown[], failure: RegExp, isTold: boolean][] = [
      [[{ a: { says: 'invalid-credential' } }, { b: { says: 'fail' } }], /^b: nobody answers$/, true],
      [[{ a: { says: 'break' } }, { b: { says: 'fail' } }], /^b: nobody answers$/, true],
      [[{ a: { says: 'break' } }, { b: NOTHING }], /^a: broke$/, false],
      [[{ a: on('a'), when: 'undecided' }], /^a: undecided$/, false],
      [[{ a: { says: 'nothing' } }], /^a: /, false],
      [[{ a: { says: 'respond' } }, { b: { says: 'fail' } }], /^b: /, true],
    ];
    for (const asynchronous of [false, true]) {
      for (const [items, failure, isTold] of cases) {
        const { request } = await compiled(items, scriptedMembers({ asynchronous }));
        await assert.rejects(
          async () => request(policyContext()),
          (error) =>
            error instanceof Error &&
            failure.test(error.message) &&
            error instanceof PolicyFailure === isTold,
        );
      }
    }
  });

  it('goes on with the member that let the request on, and with no other', async () => {
    const script = scriptedMembers();
    const items = [
      { a: { ...NOTHING, body: 'forbidden', response: 'forbidden', appends: 'a' } },
      { b: on('b', { body: 'on', response: 'on', appends: 'b' }) },
      { c: on('c', { body: 'forbidden', response: 'forbidden', appends: 'c' }) },
    ];
    const policy = await compiled(items, script);
    const c = policyContext();
    await policy.request(c);
    assert.equal(policy.wantsBody?.(c), true);
    assert.equal((await policy.requestBody?.(c, bodyView('')))?.kind, 'continue');
    const head = { status: 200, headers: new HeaderList() };
    assert.equal((await policy.response?.(c, head))?.kind, 'continue');
    const chunk = await policy.responseChunk?.(c, Buffer.from('x'));
    assert.equal(chunk?.kind === 'replace' && Buffer.from(chunk.bytes).toString(), 'xb');
    assert.deepEqual(script.log, ['a request', 'b request', 'b body', 'b response']);
  });

  it('wants a body where the member does that let the request on', async () => {
    const wants = async (item: object): Promise<boolean | undefined> => {
      const policy = await compiled([item, { z: on('z', { body: 'on' }) }]);
      const c = policyContext();
      await policy.request(c);
      return policy.wantsBody?.(c);
    };
    assert.equal(await wants({ a: on('a') }), false);
    assert.equal(await wants({ a: on('a', { body: 'on', wantsBody: false }) }), false);
    assert.equal(await wants({ a: NOTHING }), true);
  });

  it('refuses what the body of the member that let on is refused for', async () => {
    const policy = await compiled([{ a: on('a', { body: 'invalid-credential' }) }, { b: on('b') }]);
    const c = policyContext();
    await policy.request(c);
    const decision = await policy.requestBody?.(c, bodyView(''));
    assert.equal(decision?.kind === 'reject' && decision.error.code, 'invalid-credential');
  });

  it('has no phase that no member has', async () => {
    const policy = await compiled([{ a: on('a') }]);
    assert.deepEqual(
      [policy.wantsBody, policy.requestBody, policy.response, policy.responseChunk],
      [undefined, undefined, undefined, undefined],
    );
  });

  it('refuses in the words of its member, where it has its own', async () => {
    const { request } = await compiled([
      { a: { says: 'unauthenticated' } },
      { b: { says: 'forbidden', words: 'go away' } },
    ]);
    const decision = await request(policyContext());
    assert.ok(decision.kind === 'reject');
    assert.equal(Buffer.from(decision.error.body?.bytes ?? '').toString(), 'go away');
  });

  it('admits strangers where a member does, and disposes all', async () => {
    const script = scriptedMembers();
    const policy = await compiled([{ a: on('a') }, { b: on('b', { admitsStrangers: true }) }], script);
    assert.equal(policy.admitsStrangers, true);
    assert.equal((await compiled([{ a: on('a') }])).admitsStrangers, false);
    await policy.dispose?.();
    assert.deepEqual(script.log, ['a dispose', 'b dispose']);
  });

  it('bounds what it tells of each member', async () => {
    const long = 'r'.repeat(1000);
    const { request } = await compiled([{ a: NOTHING, name: long }, { b: NOTHING }]);
    const decision = await request(policyContext());
    assert.ok(decision.kind === 'reject');
    assert.ok((decision.error.reason ?? '').length < 1300);
  });
});
