import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ClaimRules, checkClaims } from './registered-claims.ts';

const RULES: ClaimRules = {
  audiences: ['orders', 'stock'],
  toleranceMs: 30_000,
  expiry: 'required',
  maxAgeMs: undefined,
  required: [],
};
const SOUND = { aud: 'orders', exp: 1000, iat: 100 };

describe('claims are refused when', () => {
  const table: readonly (readonly [
    name: string,
    claims: Readonly<Record<string, unknown>>,
    rules: Partial<ClaimRules>,
    fault: RegExp,
  ])[] = [
    ['there is no audience', { aud: undefined }, {}, /no audience/],
    ['the audience is another', { aud: 'billing' }, {}, /another audience/],
    ['the audience is another in case only', { aud: 'Orders' }, {}, /another audience/],
    ['the audience only begins so', { aud: 'orders2' }, {}, /another audience/],
    ['no audience of several is ours', { aud: ['a', 'b'] }, {}, /another audience/],
    ['the list of audiences is empty', { aud: [] }, {}, /no audience/],
    ['an audience is no text', { aud: ['orders', 1] }, {}, /no list of names/],
    ['the audience is an object', { aud: { orders: true } }, {}, /no list of names/],
    ['the audience is no text, though any will do', { aud: 1 }, { audiences: undefined }, /no list/],
    ['audiences are a crowd', { aud: Array.from({ length: 101 }, () => 'orders') }, {}, /no list of names/],
    ['it never expires', { exp: undefined }, {}, /never expires/],
    ['its end is a text', { exp: '1000' }, {}, /"exp"/],
    ['its end is null', { exp: null }, {}, /"exp"/],
    ['its end is in milliseconds', { exp: 1_800_000_000_000 }, {}, /"exp"/],
    ['its end is before all time', { exp: -1 }, {}, /"exp"/],
    ['its end is no number', { exp: Number.NaN }, { expiry: 'optional' }, /"exp"/],
    ['its begin is a text', { nbf: '0' }, {}, /"nbf"/],
    ['its issue is a list', { iat: [1] }, {}, /"iat"/],
    ['its age cannot be told', { iat: undefined }, { maxAgeMs: 1000 }, /issued/],
    ['a claim is missing', {}, { required: ['sub', 'tenant'] }, /"sub"/],
    ['a claim is null', { sub: null }, { required: ['sub'] }, /"sub"/],
    ['a claim is there only as what all objects have', {}, { required: ['constructor'] }, /"constructor"/],
  ];
  for (const [name, claims, rules, fault] of table) {
    it(name, () => {
      const validity = checkClaims({ ...SOUND, ...claims }, { ...RULES, ...rules });
      assert.ok(typeof validity === 'string', 'they were taken');
      assert.match(validity, fault);
    });
  }
});

describe('claims say when a token is good', () => {
  const table: readonly (readonly [
    name: string,
    claims: Readonly<Record<string, unknown>>,
    rules: Partial<ClaimRules>,
    validity: readonly [fromMs: number, untilMs: number],
  ])[] = [
    ['from its issue to its end', {}, {}, [70_000, 1_030_000]],
    ['from its begin', { nbf: 200 }, {}, [170_000, 1_030_000]],
    ['not before its issue, whatever its begin', { nbf: 50 }, {}, [70_000, 1_030_000]],
    ['by the clock alone', {}, { toleranceMs: 0 }, [100_000, 1_000_000]],
    ['in parts of a second', { exp: 1000.5 }, { toleranceMs: 0 }, [100_000, 1_000_500]],
    ['no longer than it may be old', {}, { maxAgeMs: 60_000 }, [70_000, 190_000]],
    ['no longer than to its end', {}, { maxAgeMs: 3_600_000 }, [70_000, 1_030_000]],
    ['for ever, where that is allowed', { exp: undefined }, { expiry: 'optional' }, [70_000, Infinity]],
    ['for one of several audiences', { aud: ['a', 'stock'] }, {}, [70_000, 1_030_000]],
    ['for anybody', { aud: undefined }, { audiences: undefined }, [70_000, 1_030_000]],
    ['with the claims it must have', { sub: '' }, { required: ['sub'] }, [70_000, 1_030_000]],
  ];
  for (const [name, claims, rules, [fromMs, untilMs]] of table) {
    it(name, () => {
      assert.deepEqual(checkClaims({ ...SOUND, ...claims }, { ...RULES, ...rules }), { fromMs, untilMs });
    });
  }
});
