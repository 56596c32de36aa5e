import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HandSnapshot } from '../../test/fixtures/data-plane.ts';
import { NO_STATE, NOBODY_THERE } from '../../test/fixtures/nobody-there.ts';
import { policyContext } from '../../test/fixtures/policy-context.ts';
import type { Flip, JudgedOutcome } from '../contract/index.ts';
import { CONTINUE, type Policy, reject, respond } from '../contract/index.ts';
import { PolicyRejection, RequestError } from '../errors.ts';
import { endOf, judge } from './evaluate.ts';
import { Evaluation } from './evaluation.ts';
import { comparable, flipOf, outcomeOf, refusedOutcome } from './outcome.ts';

const DEPS = {
  clock: { now: () => 7, monotonic: () => 0 },
  random: { hex: () => '' },
  state: NO_STATE,
  ...NOBODY_THERE,
};

const DENIED = new PolicyRejection('forbidden', 'No.', { rule: 'deny[0]' });
const no: Policy = { request: () => reject(DENIED) };
const answers: Policy = { request: () => respond({ status: 204, headers: [], body: '' }) };
const yes: Policy = { request: () => CONTINUE };
const later: Policy = { request: async () => reject(DENIED) };
const reads: Policy = { requestBody: (_c, body) => (body.text() === 'no' ? reject(DENIED) : CONTINUE) };

const BY = { route: 'r', by: 'route:r/p0', policy: 'p0' };
const NOBODY = { route: 'r', by: undefined, policy: undefined, code: undefined, rule: undefined };
const FORWARD: JudgedOutcome = { ...NOBODY, kind: 'forward', status: 0 };
const FORBIDDEN: JudgedOutcome = { ...BY, kind: 'reject', status: 403, code: 'forbidden', rule: 'deny[0]' };

function evaluation(policy: Policy, paths?: readonly string[]): Evaluation {
  const body = policy.requestBody === undefined ? 'none' : 'buffer';
  const snapshot = new HandSnapshot({ targets: [1], policies: [{ policy, body }], ...(paths && { paths }) });
  return new Evaluation(snapshot.listeners[0], policyContext().request, DEPS);
}

describe('what a judgement comes to', () => {
  const cases: readonly (readonly [
    name: string,
    policy: Policy,
    expected: JudgedOutcome,
    paths?: string[],
  ])[] = [
    ['went on', yes, FORWARD],
    ['refused by a policy', no, FORBIDDEN],
    ['refused by one that took its time', later, FORBIDDEN],
    ['answered', answers, { ...NOBODY, ...BY, kind: 'respond', status: 204 }],
    ['no route', yes, { ...NOBODY, route: '', kind: 'reject', status: 404, code: 'no-route' }, ['/else']],
  ];
  for (const [name, policy, expected, paths] of cases) {
    it(name, async () => {
      const judged = evaluation(policy, paths);
      const verdict = await judge(judged, 0, () => assert.fail('nobody asks for a body'));
      assert.deepEqual(outcomeOf(verdict, judged), expected);
    });
  }

  it('refused before any policy is asked', () => {
    const malformed = new RequestError('bad-host', 'host-invalid', 'No.');
    const expected = { ...NOBODY, kind: 'refused', route: '', status: 400, code: 'bad-host' };
    assert.deepEqual(refusedOutcome(malformed), expected);
    const banned = new PolicyRejection('address-banned', 'No.', { rule: 'ban:1' });
    assert.deepEqual(refusedOutcome(banned).rule, 'ban:1');
  });
});

describe('the body of what is judged', () => {
  it('is asked for where a policy reads it', async () => {
    const judged = evaluation(reads);
    const verdict = await judge(judged, 2, () => Buffer.from('no'));
    assert.equal(verdict.kind, 'reject');
    assert.equal(judged.bodyReader?.policy, 'p0');
  });
  it('may not be at hand: then it is judged without', async () => {
    const verdict = await judge(evaluation(reads), 2, () => undefined);
    assert.equal(verdict.kind, 'forward');
  });
  it('is refused by its size alone', async () => {
    const verdict = await judge(evaluation(reads), 1e12, () => assert.fail('too large to be read'));
    assert.ok(verdict.kind === 'reject');
    assert.equal(verdict.error.code, 'payload-too-large');
  });
  it('nothing is awaited where no policy waits', () => {
    assert.equal(judge(evaluation(yes), 0, () => undefined) instanceof Promise, false);
  });
});

it('a request ends as its verdict says', () => {
  const by = undefined;
  assert.deepEqual(endOf({ kind: 'forward' }, 200), { status: 200, code: undefined, upstreamMs: undefined });
  assert.deepEqual(endOf({ kind: 'reject', error: DENIED, by }, 200), {
    status: 403,
    code: 'forbidden',
    upstreamMs: undefined,
  });
  const response = { status: 204, headers: [], body: '' };
  assert.equal(endOf({ kind: 'respond', response, by }, 200).status, 204);
});

describe('two judgements', () => {
  const limited = {
    ...FORBIDDEN,
    status: 429,
    code: 'rate-limited',
    policy: 'p1',
    by: 'route:r/p1',
    rule: undefined,
  };
  const preflight: JudgedOutcome = { ...NOBODY, kind: 'respond', status: 204 };
  const banned = (rule: string): JudgedOutcome => ({
    ...NOBODY,
    kind: 'refused',
    status: 403,
    code: 'address-banned',
    rule,
  });
  const cases: readonly (readonly [name: string, JudgedOutcome, JudgedOutcome, Flip | undefined])[] = [
    ['the same', FORWARD, { ...FORWARD }, undefined],
    ['let on by whomever', FORWARD, { ...FORWARD, by: 'x' }, undefined],
    ['now denied', FORWARD, FORBIDDEN, 'allowed-to-denied'],
    ['now allowed', FORBIDDEN, FORWARD, 'denied-to-allowed'],
    ['an answer that is an error', FORWARD, { ...preflight, status: 401 }, 'allowed-to-denied'],
    ['an answer that was asked for', preflight, FORBIDDEN, 'allowed-to-denied'],
    ['another reason', FORBIDDEN, limited, 'other-reason'],
    ['another rule', FORBIDDEN, { ...FORBIDDEN, rule: 'deny[1]' }, 'other-reason'],
    ['the same by another attachment of the policy', FORBIDDEN, { ...FORBIDDEN, by: 'x' }, undefined],
    ['answered in place of the upstream', FORWARD, preflight, 'other-reason'],
    ['another route', FORWARD, { ...FORWARD, route: 's' }, 'moved'],
    ['another ban', banned('ban:1'), banned('ban:2'), undefined],
  ];
  for (const [name, before, after, flip] of cases) it(name, () => assert.equal(flipOf(before, after), flip));

  it('bans are of one kind', () => {
    assert.deepEqual(comparable(banned('ban:1')), comparable(banned('ban:2')));
    assert.equal(comparable(FORBIDDEN), FORBIDDEN);
  });
});
