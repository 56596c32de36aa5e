import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ContextOptions, identity, policyContext } from '../../test/fixtures/policy-context.ts';
import { ConfigError } from '../errors.ts';
import { type CostOption, costIssue, requestCost } from './request-cost.ts';

const deps = { attachment: 'route:orders/rate-limit' };
const COUNT: CostOption = { expression: 'int(request.headers["x-count"])', max: 50 };
const count = (value: string): ContextOptions => ({ headers: { 'x-count': value } });
const claim = (items: unknown): ContextOptions => ({ identity: identity({ claims: { items } }) });

const CASES: readonly [
  what: string,
  cost: CostOption | undefined,
  options: ContextOptions,
  counted: number,
  undecided?: true,
][] = [
  ['nothing said', undefined, {}, 1],
  ['a number', 7, {}, 7],
  ['a count', COUNT, count('3'), 3],
  ['the most', COUNT, count('50'), 50],
  ['nothing to do', COUNT, count('0'), 1],
  ['more than the most', COUNT, count('51'), 50, true],
  ['far more', COUNT, count('9223372036854775807'), 50, true],
  ['more than can be counted', COUNT, count('9223372036854775808'), 50, true],
  ['less than nothing', COUNT, count('-1'), 50, true],
  ['no number', COUNT, count('many'), 50, true],
  ['half a number', COUNT, count('1.5'), 50, true],
  ['no header', COUNT, {}, 50, true],
  ['two headers', COUNT, { headers: ['x-count', '1', 'x-count', '2'] }, 50, true],
  ['a size', { expression: 'size(claims.items)', max: 5 }, claim(['a', 'b']), 2],
  ['a size of nothing', { expression: 'size(claims.items)', max: 5 }, claim([]), 1],
  ['a size of what has none', { expression: 'size(claims.items)', max: 5 }, claim(3), 5, true],
  ['a claim that is a fraction', { expression: 'claims.items', max: 5 }, claim(1.5), 5, true],
  ['a claim that is a text', { expression: 'claims.items', max: 5 }, claim('1'), 5, true],
  ['a division by zero', { expression: '1 / int(request.headers["x-count"])', max: 5 }, count('0'), 5, true],
];

describe('what a request costs', () => {
  for (const [what, option, options, counted, undecided] of CASES) {
    it(`${what}: ${counted}`, () => {
      const context = policyContext(options);
      const cost = requestCost(option, deps);
      assert.equal(cost.of(context), counted);
      assert.ok(counted <= cost.most);
      assert.deepEqual(context.notices, undecided === true ? ['cost-undecided'] : []);
    });
  }

  const faults: readonly [expression: string, suggestion: string | undefined][] = [
    ['request.hedaers["x-count"]', 'did you mean "headers"?'],
    ['request.headers["x-count"]', undefined],
    ['int(', undefined],
    ['1.5', undefined],
  ];
  for (const [expression, suggestion] of faults) {
    it(`is refused at compile: ${expression}`, () => {
      assert.throws(
        () => requestCost({ expression, max: 5 }, deps, 'limits[1].cost'),
        (error) => {
          assert.ok(error instanceof ConfigError);
          assert.equal(error.issues[0].path, 'limits[1].cost.expression');
          assert.equal(error.issues[0].suggestion, suggestion);
          return true;
        },
      );
    });
  }

  it('is never more than is ever admitted at once', () => {
    const paths = ([option, atMost]: readonly [CostOption | undefined, number]) =>
      costIssue(option, atMost)?.path;
    assert.equal(paths([undefined, 1]), undefined);
    assert.equal(paths([3, 3]), undefined);
    assert.equal(paths([3, 2]), 'cost');
    assert.equal(paths([COUNT, 50]), undefined);
    assert.equal(paths([COUNT, 49]), 'cost.max');
  });
});
