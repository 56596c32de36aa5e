import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { bodyView, compileDeps, policyContext } from '../../../test/fixtures/policy-context.ts';
import { type Scripted, scriptedMembers } from '../../../test/fixtures/scripted-members.ts';
import type { Consumer, Identity, Policy, PolicyDefinition } from '../../contract/index.ts';
import { PolicyFailure } from '../../errors.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { Type } from '../../lib/schema.ts';
import { matches } from '../../lib/schema-check.ts';
import { allOf } from './policy.ts';
import { allOfSchema } from './schema.ts';

const anything = Type.Array(Type.Unknown(), { minItems: 1 });
const strict = { additionalProperties: false };

/** The policy over members that say what the config tells them to, with every consumer it names declared. */
const scripted = (options: Parameters<typeof scriptedMembers>[0]): PolicyDefinition => ({
  ...allOf,
  // What a member is, is for the document to check.
  schema: Type.Union([
    anything,
    Type.Object({ members: anything, identity: Type.Optional(Type.String()) }, strict),
  ]),
  compile: (config, deps) => {
    assert.ok(matches(allOfSchema, config));
    const consumer = (name: string): Consumer | undefined =>
      deps.consumers.has(name) ? { name, groups: [] } : undefined;
    const { members } = scriptedMembers(options);
    return allOf.compile(config, { ...deps, members, consumers: { ...deps.consumers, consumer } });
  },
});

const cases = new URL('cases.json', import.meta.url);
runPolicyCases(scripted({}), cases);
describe('asynchronously', () => runPolicyCases(scripted({ asynchronous: true }), cases));

async function compiled(
  items: unknown[],
  script: Scripted = scriptedMembers(),
): Promise<Policy & Required<Pick<Policy, 'request'>>> {
  const policy = await allOf.compile(items, compileDeps({ more: { members: script.members } }));
  const { request } = policy;
  assert.ok(request);
  return { ...policy, request };
}

const on = (identity: Partial<Identity>, more: object = {}) => ({ says: 'on', identity, ...more });

describe('all-of', () => {
  it('makes no promise where no member does', async () => {
    const { request } = await compiled([{ a: on({}) }, { b: on({}) }]);
    assert.ok(!(request(policyContext()) instanceof Promise));
  });

  it('is the last identity, with groups, scopes and claims of all', async () => {
    const claims = JSON.parse('{"a":1,"b":1,"__proto__":{"admin":true}}');
    const { request } = await compiled([
      { a: on({ consumer: 'device', groups: ['x', 'y'], scopes: ['read'], claims, consumerId: '1' }) },
      { b: on({ consumer: 'ann', groups: ['y', 'z'], scopes: ['write'], claims: { b: 2, c: 2 } }) },
    ]);
    const c = policyContext();
    assert.equal((await request(c)).kind, 'continue');
    const found = c.facts.identity;
    assert.ok(found);
    const { consumer, consumerId, groups, scopes } = found;
    assert.deepEqual(
      { consumer, consumerId, groups, scopes },
      { consumer: 'ann', consumerId: undefined, groups: ['x', 'y', 'z'], scopes: ['read', 'write'] },
    );
    assert.deepEqual(Object.entries(found.claims).slice(0, 2), [
      ['a', 1],
      ['b', 2],
    ]);
    assert.equal(Reflect.get(found.claims, 'admin'), undefined);
    assert.ok(Object.isFrozen(found));
  });

  it('is the chosen identity as it is, with nothing of the others', async () => {
    const policy = await allOf.compile(
      {
        members: [
          { a: on({ consumer: 'device', groups: ['x'] }) },
          { b: on({ consumer: 'ann', groups: ['y'] }) },
        ],
        identity: 'a',
      },
      compileDeps({ more: { members: scriptedMembers().members } }),
    );
    const c = policyContext();
    await policy.request?.(c);
    assert.deepEqual([c.facts.identity?.consumer, c.facts.identity?.groups], ['device', ['x']]);
  });

  it('fails as its member does, and says which', async () => {
    const failing: [item: object, failure: RegExp, isTold: boolean][] = [
      [{ b: { says: 'break' } }, /^b: broke$/, false],
      [{ b: { says: 'fail' } }, /^b: nobody answers$/, true],
      [{ b: on({}), when: 'undecided' }, /^b: undecided$/, false],
      [{ b: { says: 'nothing' } }, /./, false],
    ];
    for (const asynchronous of [false, true]) {
      for (const [item, failure, isTold] of failing) {
        const { request } = await compiled([{ a: on({}) }, item], scriptedMembers({ asynchronous }));
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

  it('that fails has taken away what it had to, and has said nothing', async () => {
    const items = [
      { a: on({ consumer: 'device' }, { sets: 'X-User', removes: 'X-Api-Key' }) },
      { b: { says: 'fail', sets: 'X-Other', removes: 'Cookie' } },
      { c: on({}, { vouchesFor: ['x-group'] }) },
    ];
    for (const asynchronous of [false, true]) {
      for (const nested of [false, true]) {
        const inner = await compiled(items, scriptedMembers({ asynchronous }));
        const member = {
          name: 'all-of',
          policy: 'all-of',
          when: undefined,
          body: 'none',
          instance: inner,
        } as const;
        const members = () => Promise.resolve([member]);
        const policy = nested ? await allOf.compile([{}], compileDeps({ more: { members } })) : inner;
        const c = policyContext();
        await assert.rejects(async () => policy.request?.(c), PolicyFailure);
        assert.deepEqual(
          new Set(c.recorded.map((edit) => edit.join(' '))),
          new Set(['x-group', 'X-Api-Key', 'Cookie'].map((name) => `removeRequestHeader ${name}`)),
        );
        assert.equal(c.facts.identity, undefined);
      }
    }
  });

  it('lets no client speak for a member, asked or not', async () => {
    const items = [{ a: on({}) }, { b: on({}, { vouchesFor: ['x-user'] }), when: false }];
    const { request } = await compiled(items);
    const c = policyContext();
    await request(c);
    assert.deepEqual(c.recorded, [['removeRequestHeader', 'x-user']]);
  });

  it('goes on with all that took part, in order', async () => {
    const script = scriptedMembers();
    const items = [
      { a: on({}, { body: 'on', response: 'on', appends: 'a' }) },
      { b: on({}, { body: 'forbidden', response: 'on', appends: 'b' }), when: false },
      { c: on({}, { body: 'on', wantsBody: false, response: 'forbidden', appends: 'c' }) },
      { d: on({}, { body: 'on', response: 'on' }) },
    ];
    const policy = await compiled(items, script);
    const c = policyContext();
    await policy.request(c);
    assert.equal(policy.wantsBody?.(c), true);
    assert.equal((await policy.requestBody?.(c, bodyView('')))?.kind, 'continue');
    const answer = await policy.response?.(c, { status: 200, headers: new HeaderList() });
    assert.equal(answer?.kind, 'reject');
    const chunk = await policy.responseChunk?.(c, Buffer.from('x'));
    assert.equal(chunk?.kind === 'replace' && Buffer.from(chunk.bytes).toString(), 'xac');
    assert.deepEqual(script.log, [
      'a request',
      'c request',
      'd request',
      'a body',
      'c body',
      'd body',
      'a response',
      'c response',
    ]);
  });

  it('refuses in the words of its member, where it has its own', async () => {
    const { request } = await compiled([{ a: on({}) }, { b: { says: 'forbidden', words: 'go away' } }]);
    const decision = await request(policyContext());
    assert.ok(decision.kind === 'reject');
    assert.equal(Buffer.from(decision.error.body?.bytes ?? '').toString(), 'go away');
  });

  it('admits strangers where every member does', async () => {
    const open = { admitsStrangers: true };
    assert.equal((await compiled([{ a: on({}, open) }, { b: on({}) }])).admitsStrangers, false);
    assert.equal((await compiled([{ a: on({}, open) }, { b: on({}, open) }])).admitsStrangers, true);
  });
});
