import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { eventually } from '../../../test/fixtures/process.ts';
import { systemClock } from '../../lib/system.ts';
import { type NoAnswer, WaitingAnswers } from './waiting-answers.ts';

const PATIENCE_MS = 20;

describe('questions under way', () => {
  let waiting: WaitingAnswers;
  let gone: [string, NoAnswer][];
  beforeEach(() => {
    gone = [];
    waiting = new WaitingAnswers(systemClock, PATIENCE_MS);
  });
  const ask = (name: string) => waiting.add((why) => void gone.push([name, why]));

  it('give up after the patience, in the order they were asked', async () => {
    const askedMs = performance.now();
    ask('a');
    ask('b');
    await eventually(async () => gone.length === 2);
    assert.ok(performance.now() - askedMs >= PATIENCE_MS);
    assert.deepEqual(gone, [
      ['a', 'timeout'],
      ['b', 'timeout'],
    ]);
  });

  it('are in time before that, once', async () => {
    const isInTime = ask('a');
    ask('b');
    assert.equal(isInTime(), true);
    assert.equal(isInTime(), false);
    await eventually(async () => gone.length > 0);
    assert.deepEqual(gone, [['b', 'timeout']]);
  });

  it('are not given up before an answer is read that came while this thread was busy', async () => {
    const { port1, port2 } = new MessageChannel();
    const read = new Promise((resolve) => port1.once('message', resolve));
    const isInTime = ask('a');
    port2.postMessage('the answer');
    const untilMs = performance.now() + 3 * PATIENCE_MS;
    while (performance.now() < untilMs);
    await read;
    assert.equal(isInTime(), true);
    port1.close();
  });

  it('all end with the connection', () => {
    ask('a');
    ask('b');
    waiting.giveUpAll();
    assert.deepEqual(gone, [
      ['a', 'connection'],
      ['b', 'connection'],
    ]);
    assert.equal(waiting.size, 0);
  });
});
