import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { Fleet } from './fleet.ts';
import type { StoreAnswer } from './script-store.ts';

const BEAT_MS = 1000;

describe('who counts in the store', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }));
  afterEach(() => mock.timers.reset());

  /** Nodes as they are known after each beat: the first of the answers is to the first. */
  async function known(answers: readonly StoreAnswer[]): Promise<readonly number[]> {
    let beats = 0;
    const store = { isCluster: false, ask: () => Promise.resolve(answers[beats++]) };
    const fleet = new Fleet(store, ['workers', 'nodes'], 'n', 'n:1');
    await fleet.join();
    const nodes = [fleet.nodes];
    while (nodes.length < answers.length) {
      mock.timers.tick(BEAT_MS);
      await new Promise(setImmediate);
      nodes.push(fleet.nodes);
    }
    return nodes;
  }

  const CASES: readonly [what: string, answers: readonly StoreAnswer[], nodes: readonly number[]][] = [
    [
      'more are believed at once',
      [
        [1, 1],
        [2, 2],
        [6, 3],
      ],
      [1, 2, 3],
    ],
    [
      // Each share of a limit is counted by itself: a fleet that flaps with its store must not have many.
      'a store that has forgotten all is not believed before all had time to come back',
      [
        [6, 3],
        [2, 1],
        [4, 2],
        [6, 3],
        [2, 1],
      ],
      [3, 3, 3, 3, 3],
    ],
    [
      'who has left is left out when nothing was heard of it for some beats',
      [
        [6, 3],
        [4, 2],
        [4, 2],
        [4, 2],
        [4, 2],
        [4, 2],
        [4, 2],
      ],
      [3, 3, 3, 3, 3, 2, 2],
    ],
    [
      'of those who left, the most that were there meanwhile are believed',
      [
        [6, 3],
        [2, 1],
        [2, 1],
        [4, 2],
        [2, 1],
        [2, 1],
        [2, 1],
      ],
      [3, 3, 3, 3, 3, 2, 2],
    ],
    [
      'silence says nothing',
      [[6, 3], undefined, undefined, undefined, undefined, undefined],
      [3, 3, 3, 3, 3, 3],
    ],
    [
      'nobody is not fewer than one',
      [
        [0, 0],
        ['x', 'y'],
        [1, 1],
      ],
      [1, 1, 1],
    ],
  ];
  for (const [what, answers, nodes] of CASES) {
    it(what, async () => assert.deepEqual(await known(answers), nodes));
  }
});
