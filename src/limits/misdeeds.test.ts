import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DecisionEntry, RequestEnd } from '../contract/index.ts';
import { ERRORS, type ErrorCode } from '../errors.ts';
import { MISDEEDS, type Misdeed, misdeedOf, refusalIn } from './misdeeds.ts';

const ended = (over: Partial<RequestEnd>): RequestEnd => ({
  status: 200,
  code: undefined,
  decisions: [],
  upstreamMs: undefined,
  ...over,
});
const refused = (policy: string, code: ErrorCode, over: Partial<DecisionEntry> = {}): DecisionEntry => ({
  attachment: `route:a/${policy}`,
  policy,
  mode: 'enforce',
  phase: 'request',
  outcome: 'reject',
  code,
  ...over,
});

describe('what a request speaks of', () => {
  const codes: readonly (readonly [ErrorCode, Misdeed | undefined])[] = [
    ['invalid-credential', 'failed-authentication'],
    ['unauthenticated', 'unauthenticated'],
    ['insufficient-scope', 'forbidden'],
    ['payload-too-large', 'validation'],
    ['no-route', 'not-found'],
    ['quota-exceeded', 'rate'],
    ['request-timeout', 'error'],
    // What others guessed at a name must not speak against whoever bears it.
    ['too-many-failures', 'rate'],
    ['address-banned', undefined],
    ['caller-banned', undefined],
    ['overloaded', undefined],
    ['draining', undefined],
    ['client-closed-request', undefined],
    ['upstream-timeout', undefined],
    ['upstream-unavailable', undefined],
    ['identity-unavailable', undefined],
    ['limits-unavailable', undefined],
    ['policy-failed', undefined],
    ['response-rejected', undefined],
    ['internal', undefined],
  ];
  for (const [code, kind] of codes)
    it(`${code}: ${kind ?? 'nothing'}`, () => {
      assert.equal(misdeedOf(ended({ status: ERRORS[code].status, code })), kind);
    });

  const statuses: readonly (readonly [number, Misdeed | undefined])[] = [
    [0, undefined],
    [101, undefined],
    [200, undefined],
    [304, undefined],
    [400, 'validation'],
    [401, 'failed-authentication'],
    [403, 'forbidden'],
    [404, 'not-found'],
    [409, 'error'],
    [429, 'rate'],
    [500, 'error'],
    [503, 'error'],
  ];
  for (const [status, kind] of statuses)
    it(`the upstream's ${status}: ${kind ?? 'nothing'}`, () => {
      assert.equal(misdeedOf(ended({ status })), kind);
    });

  it('whatever code the firewall refuses with', () => {
    const decisions = [refused('waf', 'forbidden')];
    assert.equal(misdeedOf(ended({ status: 403, code: 'forbidden', decisions })), 'waf');
  });

  it('nothing that was only tried in shadow', () => {
    const decisions = [
      refused('waf', 'forbidden', { mode: 'shadow' }),
      refused('acl', 'forbidden'),
      refused('waf', 'forbidden', { mode: 'shadow', phase: 'response' }),
    ];
    assert.equal(misdeedOf(ended({ status: 403, code: 'forbidden', decisions })), 'forbidden');
    assert.equal(refusalIn(ended({ decisions }))?.policy, 'acl');
    assert.equal(misdeedOf(ended({ decisions: decisions.slice(0, 1) })), undefined);
  });

  it('each kind comes up', () => {
    const seen = new Set([...codes, ...statuses].map(([, kind]) => kind));
    assert.deepEqual(
      MISDEEDS.filter((kind) => !seen.has(kind)),
      ['waf'],
    );
  });
});
