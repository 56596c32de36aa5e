import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createSystemRandom } from './system.ts';

it('gives the length asked for, and never the same bytes twice', () => {
  const random = createSystemRandom();
  const seen = new Set<string>();
  for (let i = 0; i < 5000; i++) {
    const id = random.hex(16);
    assert.match(id, /^[0-9a-f]{32}$/);
    seen.add(id);
  }
  assert.equal(seen.size, 5000);
  assert.equal(random.hex(8).length, 16);
  assert.throws(() => random.hex(8193), RangeError);
});
