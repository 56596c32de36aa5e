import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nameList } from './name-list.ts';

describe('names in a record', () => {
  const cases: readonly (readonly [names: readonly string[], shown: string])[] = [
    [[], '[]'],
    [['orders', 'stock'], '[orders, stock]'],
    [['a', 'b', 'c', 'd', 'e', 'f', 'g'], '[a, b, c, d, e, 2 more]'],
    [['x'.repeat(81)], `[${'x'.repeat(80)}…]`],
    [['a\nb\u001b[1m', 'caf\u00e9'], '[a?b?[1m, caf?]'],
  ];
  for (const [names, shown] of cases) it(shown, () => assert.equal(nameList(names), shown));
});
