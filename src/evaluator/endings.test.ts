import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RequestEnd } from '../contract/index.ts';
import { Endings } from './endings.ts';

const unheard = (): never => assert.fail('nothing fails here');
const END: RequestEnd = { status: 200, code: undefined, decisions: [], upstreamMs: 3 };

describe('the end of a request', () => {
  it('is told to each in the order in which they asked, once', () => {
    const endings = new Endings();
    const told: string[] = [];
    endings.add(() => void told.push('a'));
    endings.add(({ status }) => void told.push(`b ${status}`));
    assert.equal(endings.end(END, unheard), undefined);
    assert.equal(endings.end({ ...END, status: 500 }, unheard), undefined);
    assert.deepEqual(told, ['a', 'b 200']);
  });

  it('is told at once to who asks later, or while it is told', () => {
    const endings = new Endings();
    const told: string[] = [];
    endings.add(() => endings.add(() => void told.push('within')));
    endings.end(END, unheard);
    endings.add(() => void told.push('later'));
    assert.deepEqual(told, ['within', 'later']);
  });

  it('is told to the others where one fails, now or later, and each failure is told', async () => {
    const endings = new Endings();
    const told: string[] = [];
    const failures: unknown[] = [];
    endings.add(() => {
      throw new Error('now');
    });
    endings.add(async () => {
      await Promise.resolve();
      throw new Error('later');
    });
    endings.add(() => void told.push('last'));
    await endings.end(END, (cause) => failures.push(String(cause)));
    endings.add(() => {
      throw new Error('after');
    });
    assert.deepEqual(told, ['last']);
    assert.deepEqual(failures, ['Error: now', 'Error: later', 'Error: after']);
  });

  it('is over when all that was asked for is', async () => {
    const endings = new Endings();
    let isDone = false;
    endings.add(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      isDone = true;
    });
    await endings.end(END, unheard);
    assert.equal(isDone, true);
  });
});
