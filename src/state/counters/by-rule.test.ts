import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chargeOf, ONE_OF_EACH, START } from '../../../test/contract/state/counters.ts';
import { ByRule, type ByRuleBounds } from './by-rule.ts';

/** Keeps names, and says which were made. */
function names(bounds?: ByRuleBounds): { of: ByRule<string>; made: string[] } {
  const made: string[] = [];
  const of = new ByRule((name) => {
    made.push(name);
    return name;
  }, bounds);
  return { of, made };
}

describe('what is kept by rule', () => {
  it('is made once for each kind, scope and rule, in whatever order they are asked for', () => {
    const { of, made } = names();
    const rules = [
      ['gcra', 's', 1, 10, 1],
      ['sliding', 's', 1, 10, 1],
      ['gcra', 's', 2, 10, 1],
      ['gcra', 's', 1, 20, 1],
      ['gcra', 's', 1, 10, 2],
      ['gcra', 'other', 1, 10, 1],
    ] as const;
    for (let round = 0; round < 3; round++)
      for (const [kind, scope, limit, windowMs, most] of rules) of.of(kind, scope, limit, windowMs, most);
    assert.equal(made.length, rules.length);
    assert.equal(new Set(made).size, rules.length);
  });

  it('is not told apart by what a scope looks like', () => {
    const { of } = names();
    assert.notEqual(of.of('gcra', '1 10', 1, 10, 1), of.of('gcra', '10', 1, 10, 1));
    assert.notEqual(of.of('gcra', '', 1, 10, 1), of.of('gcra', ' ', 1, 10, 1));
  });

  it('is one for a window or a quota whatever its limit, and for a rate as it is', () => {
    const { of } = names();
    for (const spec of ONE_OF_EACH) {
      const ask = (limit: number) => of.ofCharge(chargeOf({ ...spec, limit }, START));
      const isOne = spec.kind === 'fixed-window' || spec.kind === 'quota';
      assert.equal(ask(10) === ask(11), isOne, spec.kind);
    }
    const [, , , quota] = ONE_OF_EACH;
    assert.equal(of.ofCharge(chargeOf(quota, START, { scope: 'q' })), of.ofQuota('q'));
  });

  it('is made anew over its bounds, and the same then', () => {
    const { of, made } = names({ maxScopes: 2, maxRules: 2 });
    const first = of.of('gcra', 'a', 1, 10, 1);
    for (const limit of [2, 3]) of.of('gcra', 'a', limit, 10, 1);
    assert.equal(of.of('gcra', 'a', 1, 10, 1), first);
    assert.equal(made.length, 4, 'the oldest of three rules');
    for (const scope of ['b', 'c']) of.of('gcra', scope, 1, 10, 1);
    assert.equal(of.of('gcra', 'a', 1, 10, 1), first);
    assert.equal(made.length, 7, 'all scopes');
    assert.equal(of.of('gcra', 'a', 1, 10, 1), first);
    assert.equal(made.length, 7, 'what was asked for last is still there');
    for (const scope of ['d', 'e', 'a']) of.of('gcra', scope, 1, 10, 1);
    assert.equal(made.length, 10, 'and no longer than the others');
  });

  it('throws at a rule that cannot be counted, and keeps nothing of it', () => {
    const { of, made } = names();
    assert.throws(() => of.of('gcra', 's', 0, 10, 1), { name: 'InternalError' });
    assert.deepEqual(made, []);
  });
});
