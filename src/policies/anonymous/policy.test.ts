import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { compileDeps, policyContext } from '../../../test/fixtures/policy-context.ts';
import type { Consumer, Decision, Identity, PolicyContext } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { anonymous } from './policy.ts';

runPolicyCases(anonymous, new URL('cases.json', import.meta.url));

type Known = Record<string, Consumer | 'disabled'>;

function over(known: Known): (c: PolicyContext) => Decision {
  const deps = compileDeps({ known, groups: ['public'] });
  const policy = anonymous.compile({ consumer: 'guest', groups: ['public'] }, deps);
  assert.ok('request' in policy);
  return (c) => {
    const decision = policy.request?.(c);
    assert.ok(decision !== undefined && !(decision instanceof Promise));
    return decision;
  };
}

function identityIn(known: Known): Identity {
  const c = policyContext();
  over(known)(c);
  assert.ok(c.facts.identity);
  return c.facts.identity;
}

describe('anonymous', () => {
  it('refuses while its consumer is disabled', () => {
    const c = policyContext();
    const decision = over({ guest: 'disabled' })(c);
    assert.ok(decision.kind === 'reject' && decision.error.code === 'unauthenticated');
    assert.equal(c.facts.identity, undefined);
  });

  it('is known as one that proved nothing', () => {
    const { anonymous: isAnonymous, credential, groups, scopes } = identityIn({});
    assert.deepEqual(
      { isAnonymous, credential, groups, scopes },
      { isAnonymous: true, credential: undefined, groups: ['public'], scopes: [] },
    );
  });

  it('has what a declared consumer has, as of now', () => {
    const known: Known = { guest: { name: 'guest', id: '7', groups: ['public', 'old'] } };
    const ask = over(known);
    const [before, again, after] = [policyContext(), policyContext(), policyContext()];
    ask(before);
    ask(again);
    known.guest = { name: 'guest', groups: ['new'] };
    ask(after);
    assert.deepEqual(
      [before.facts.identity?.groups, before.facts.identity?.consumerId],
      [['public', 'old'], '7'],
    );
    assert.equal(again.facts.identity, before.facts.identity);
    assert.deepEqual(
      [after.facts.identity?.groups, after.facts.identity?.consumerId],
      [['public', 'new'], undefined],
    );
  });

  it('suggests the group that was meant', () => {
    const deps = compileDeps({ groups: ['public'] });
    assert.throws(
      () => anonymous.compile({ consumer: 'guest', groups: ['pubic'] }, deps),
      (error) => error instanceof ConfigError && error.issues[0].suggestion === 'did you mean "public"?',
    );
  });
});
