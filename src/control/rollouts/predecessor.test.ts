import assert from 'node:assert/strict';
import { it } from 'node:test';
import { predecessorOf } from './predecessor.ts';

/** Oldest first; `<` marks one that was gone back to. */
const cases: readonly [name: string, way: string, before: string | undefined][] = [
  ['there is none of the first', 'a', undefined],
  ['there is none where nothing was active', '', undefined],
  ['it is the one before', 'a b c', 'b'],
  ['a start is no change', 'a b b b', 'a'],
  ['whoever went back goes further back', 'a b c b<', 'a'],
  ['and not beyond the first', 'a b a<', undefined],
  ['what is published after going back stands on that', 'a b c b< d', 'b'],
  ['what is published again is a change', 'a b a', 'b'],
  ['going back to one that is not known is a change', 'b c a<', 'c'],
  ['going back twice', 'a b c d c< b<', 'a'],
  ['going back several at once', 'a b c d b<', 'a'],
];
for (const [name, way, before] of cases) {
  it(name, () => {
    const activations = way.split(' ').filter((word) => word !== '');
    const newestFirst = activations.toReversed().map((word) => {
      const how = word.endsWith('<') ? 'rollback' : 'publish';
      return { id: word[0], how } as const;
    });
    assert.equal(predecessorOf(newestFirst), before);
  });
}
