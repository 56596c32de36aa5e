import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { finish, finishInSlices, type Steps } from './steps.ts';

function* counting(to: number, each: () => void = () => {}): Steps<number> {
  for (let i = 0; i < to; i++) {
    each();
    yield;
  }
  return to;
}

describe('steps', () => {
  it('are done at once', () => assert.equal(finish(counting(3)), 3));

  it('are done in slices of a few milliseconds', async () => {
    let nowMs = 0;
    let pauses = 0;
    const steps = counting(10, () => {
      nowMs += 2;
    });
    const pause = async () => {
      pauses++;
      nowMs += 100;
    };
    assert.equal(await finishInSlices(steps, pause, () => nowMs), 10);
    assert.equal(pauses, 3);
  });

  it('fail as what they do fails', async () => {
    const failing = () =>
      counting(1, () => {
        throw new TypeError();
      });
    assert.throws(() => finish(failing()), TypeError);
    await assert.rejects(finishInSlices(failing()), TypeError);
  });
});
