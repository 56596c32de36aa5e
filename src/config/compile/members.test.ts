import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  bundleDeps,
  documentWith,
  issuesOf,
  type Members,
  type Probe,
  parsed,
  probePolicies,
} from '../../../test/fixtures/config.ts';
import { CONTINUE, type PolicyDefinition, type Snapshot } from '../../contract/index.ts';
import { Type } from '../../lib/schema.ts';
import { POLICIES } from '../../policies/index.ts';
import { type BundleDeps, createBundle } from '../bundle.ts';

const policies = (...items: unknown[]): Members => documentWith({}, { policies: items });

/** The probes, and ways to prove who calls that need something, read something or fail. */
function probe(): Probe {
  const { definitions, log } = probePolicies();
  const login = (name: string, more: Partial<PolicyDefinition>): PolicyDefinition => ({
    name,
    summary: `Test policy ${name}.`,
    schema: Type.Object({}, { additionalProperties: false }),
    body: 'none',
    provides: ['identity'],
    ...more,
    compile(config, deps) {
      log.push(`+${deps.attachment}`);
      more.compile?.(config, deps);
      return {
        request: () => CONTINUE,
        dispose: () => void log.push(`-${deps.attachment}`),
        credentialFields: { headers: [`x-${name}`], query: [name] },
      };
    },
  });
  return {
    log,
    definitions: [
      ...definitions.filter(({ name }) => name !== 'api-key'),
      login('signed-body', { body: 'buffer' }),
      login('second-factor', { needs: ['identity'] }),
      login('filed', {
        compile: (_, deps) => {
          deps.files.read('keys');
          return {};
        },
      }),
      ...POLICIES.filter(({ name }) => ['all-of', 'anonymous', 'any-of', 'api-key'].includes(name)),
    ],
  };
}

async function snapshotOf(document: Members, deps: BundleDeps = bundleDeps(probe())): Promise<Snapshot> {
  return (await createBundle(parsed(document), deps)).snapshot;
}

describe('members are refused for', () => {
  const at = 'routes[0].policies[0]';
  const deep = (depth: number): Members =>
    depth === 0 ? { login: {} } : { [depth % 2 === 0 ? 'all-of' : 'any-of']: [deep(depth - 1)] };
  const cases: [name: string, item: unknown, faults: string[], suggestion?: string][] = [
    [
      'a misspelt policy',
      { 'any-of': [{ login: {} }, { 'api-kye': {} }] },
      [`${at}.any-of[1].api-kye: unknown policy "api-kye"`],
      'did you mean "api-key"?',
    ],
    [
      'the same, deeper',
      { 'any-of': [{ 'all-of': { members: [{ logn: {} }] } }] },
      [`${at}.any-of[0].all-of.members[0].logn: unknown policy "logn"`],
      'did you mean "login"?',
    ],
    [
      'a misspelt option',
      { 'any-of': [{ 'api-key': { hedaer: 'x-key' } }] },
      [`${at}.any-of[0].api-key.hedaer: unknown key "hedaer"`],
      'did you mean "header"?',
    ],
    [
      'what a policy finds wrong itself',
      { 'any-of': [{ login: {} }, { anonymous: { consumer: 'guest', groups: ['pubic'] } }] },
      [`${at}.any-of[1].anonymous.groups[0]: there is no group "pubic"`],
    ],
    [
      'a policy that proves nothing',
      { 'any-of': [{ mark: {} }] },
      [`${at}.any-of[0].mark: does not prove who calls, as everything here must`],
    ],
    [
      'settings that are for the whole',
      { 'any-of': [{ login: {}, mode: 'shadow', onError: 'continue', owner: 'me' }] },
      ['mode', 'onError', 'owner'].map(
        (key) => `${at}.any-of[0].${key}: cannot be said of one among several`,
      ),
      'say it of the whole',
    ],
    [
      'a misspelt setting',
      { 'any-of': [{ login: {}, wehn: 'request.method == "GET"' }] },
      [`${at}.any-of[0].wehn: unknown key "wehn"`],
      'did you mean "when"?',
    ],
    [
      'a wrong condition',
      { 'any-of': [{ login: {}, when: 'request.methd == "GET"' }] },
      [`${at}.any-of[0].when: *`],
      'did you mean "method"?',
    ],
    [
      'one name twice',
      {
        'any-of': [
          { login: {}, name: 'x' },
          { 'api-key': {}, name: 'x' },
        ],
      },
      [`${at}.any-of[1]: another one here is named "x"`],
    ],
    [
      'the name of another’s policy',
      { 'any-of': [{ login: {} }, { 'api-key': {}, name: 'login' }] },
      [`${at}.any-of[1]: another one here is named "login"`],
    ],
    ['text', { 'any-of': ['login'] }, [`${at}.any-of[0]: must be an object`], 'write "login: {}"'],
    ['no members', { 'any-of': [] }, [`${at}.any-of: must not be empty`]],
    ['an object', { 'any-of': { login: {} } }, [`${at}.any-of: must be a list`]],
    [
      'too many',
      { 'any-of': Array.from({ length: 17 }, () => ({ login: {} })) },
      [`${at}.any-of: must have at most 16 items`],
    ],
    [
      'strangers before others',
      { 'any-of': [{ anonymous: { consumer: 'guest' } }, { login: {} }] },
      [`${at}.any-of[0]: lets on who presents nothing, so that those behind it are never asked`],
      'put it last',
    ],
    [
      'strangers before others, deeper',
      { 'any-of': [{ 'any-of': [{ login: {} }, { anonymous: { consumer: 'guest' } }] }, { 'api-key': {} }] },
      [`${at}.any-of[0]: lets on who presents nothing, so that those behind it are never asked`],
    ],
    [
      'an identity of nobody',
      { 'all-of': { members: [{ login: {} }], identity: 'logn' } },
      [`${at}.all-of.identity: no member is named "logn"`],
      'did you mean "login"?',
    ],
    ['depth', deep(4), [`${at}.all-of[0].any-of[0].all-of[0].any-of: stands more than 3 deep inside others`]],
    [
      'all their faults at once',
      { 'any-of': [{ logn: {} }, { 'all-of': [{ mark: {} }, { 'api-key': { hide: 7 } }] }] },
      [
        `${at}.any-of[0].logn: unknown policy "logn"`,
        `${at}.any-of[1].all-of[0].mark: does not prove who calls, as everything here must`,
        `${at}.any-of[1].all-of[1].api-key.hide: must be true or false`,
      ],
    ],
    [
      'what a member needs',
      { 'any-of': [{ 'second-factor': {} }] },
      [`${at}.any-of: needs the identity, which no policy before it provides (listener "public")`],
    ],
  ];
  for (const [name, item, faults, suggestion] of cases) {
    it(name, async () => {
      const { log, definitions } = probe();
      const issues = await issuesOf(() => snapshotOf(policies(item), bundleDeps({ log, definitions })));
      assert.deepEqual(
        issues.map(({ path, message }, i) =>
          faults[i]?.endsWith('*') ? `${path}: *` : `${path}: ${message}`,
        ),
        faults,
      );
      if (suggestion !== undefined) assert.equal(issues[0].suggestion, suggestion);
      const alive = log.filter((line) => line.startsWith('+')).length;
      assert.equal(log.length, 2 * alive, 'what was compiled is disposed');
    });
  }
});

describe('members', () => {
  it('have ids of their own, by place, policy and name', async () => {
    const { log, definitions } = probe();
    const nested = { 'all-of': [{ login: {} }, { 'second-factor': {}, name: 'otp' }] };
    const document = policies(
      { login: {} },
      { 'any-of': [nested, { login: {} }, { login: {} }, { filed: {}, name: 'f' }] },
    );
    const snapshot = await snapshotOf(document, bundleDeps({ log, definitions }, { keys: '' }));
    assert.deepEqual(log, [
      '+route:all/login',
      '+route:all/any-of/all-of/login',
      '+route:all/any-of/all-of/second-factor@otp',
      '+route:all/any-of/login',
      '+route:all/any-of/login#2',
      '+route:all/any-of/filed@f',
    ]);
    await snapshot.dispose();
    assert.equal(log.filter((line) => line.startsWith('-')).length, 6);
  });

  it('together provide an identity, are asked for no other and need a body where one does', async () => {
    const { attachments } = await snapshotOf(
      policies(
        { 'any-of': [{ login: {} }, { 'all-of': [{ 'signed-body': {} }] }] },
        { 'all-of': [{ login: {} }] },
        { guard: {} },
      ),
    );
    assert.deepEqual(
      attachments.map(({ policy, body, authenticates }) => [policy, body, authenticates]),
      [
        ['any-of', 'buffer', true],
        ['all-of', 'none', true],
        ['guard', 'none', false],
      ],
    );
  });

  it('are kept over a reload as long as what any of them read is the same', async () => {
    const made = probe();
    const first = bundleDeps(made, { keys: 'one' });
    const document = policies({ 'any-of': [{ login: {} }, { 'all-of': [{ filed: {} }] }] });
    const one = await snapshotOf(document, first);
    const same = await snapshotOf(document, first);
    assert.equal(made.log.length, 2);
    assert.equal(same.attachments[0].instance, one.attachments[0].instance);
    const { files, secrets } = bundleDeps(made, { keys: 'two' });
    const other = await snapshotOf(document, { ...first, files, secrets });
    assert.notEqual(other.attachments[0].instance, one.attachments[0].instance);
    for (const snapshot of [one, same, other]) await snapshot.dispose();
    assert.equal(made.log.length, 8);
    assert.equal(first.cache.size, 0);
  });

  it('are compiled anew where a condition of one changes', async () => {
    const made = probe();
    const deps = bundleDeps(made);
    const withCondition = (when: string) => policies({ 'any-of': [{ login: {}, when }] });
    await snapshotOf(withCondition('true'), deps);
    await snapshotOf(withCondition('false'), deps);
    assert.equal(made.log.length, 2);
  });
});
