import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RecentMap } from './recent-map.ts';

describe('a map of what is recent', () => {
  it('never holds more than it may, and always what was used last', () => {
    const steps = fc.array(fc.record({ key: fc.nat(30), isSet: fc.boolean() }), { maxLength: 300 });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), steps, (max, work) => {
        const map = new RecentMap<number, string>(max);
        const used: number[] = [];
        for (const { key, isSet } of work) {
          if (isSet) map.set(key, `v${key}`);
          else {
            const value = map.get(key);
            assert.ok(value === undefined || value === `v${key}`);
            if (value === undefined) continue;
          }
          const at = used.indexOf(key);
          if (at !== -1) used.splice(at, 1);
          used.push(key);
          assert.ok(map.size <= max, `${map.size} of ${max}`);
        }
        for (const key of used.slice(-Math.floor(max / 2)).reverse()) assert.equal(map.get(key), `v${key}`);
      }),
    );
  });

  it('forgets what was deleted, in either generation', () => {
    const map = new RecentMap<string, number>(4);
    for (const key of ['a', 'b', 'c', 'd']) map.set(key, 1);
    map.delete('a');
    map.delete('d');
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((key) => map.get(key)),
      [undefined, 1, 1, undefined],
    );
    map.clear();
    assert.equal(map.size, 0);
  });

  it('has the newest of two values', () => {
    const map = new RecentMap<string, number>(4);
    for (const key of ['a', 'b', 'c']) map.set(key, 1);
    map.set('a', 2);
    assert.equal(map.get('a'), 2);
  });
});
