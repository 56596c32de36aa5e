import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type StoreChange, StoreError } from '../../store/index.ts';
import { StoreFollower } from './store-follower.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A follower whose handlers note what they are asked, and fail where they are told to. */
function world() {
  const done: string[] = [];
  const logged: string[] = [];
  const scheduled: (() => void)[] = [];
  const failing = new Map<string, Error>();
  const handle = async (name: string): Promise<void> => {
    const error = failing.get(name.split(' ')[0]);
    if (error !== undefined) throw error;
    done.push(name);
  };
  const log = (event: string): void => void logged.push(event);
  const follower = new StoreFollower({
    log: { info: log, warn: log, error: log },
    schedule: (work) => void scheduled.push(work),
  });
  const begin = (): void =>
    follower.begin({
      callers: (changes) =>
        handle(`callers ${changes === 'unknown' ? changes : changes.map(({ subject }) => subject).join()}`),
      bans: () => handle('bans'),
      catchUp: () => handle('catchUp'),
    });
  const retry = async (): Promise<void> => {
    for (const work of scheduled.splice(0)) work();
    await settle();
  };
  return { follower, begin, done, logged, scheduled, failing, retry };
}

const change = (topic: StoreChange['topic'], subject: string): StoreChange => ({ topic, subject });
const lost = new StoreError('unavailable', 'lost');

describe('what others change', () => {
  test('takes effect by topic; what is nobody’s here does not', async () => {
    const { follower, begin, done } = world();
    begin();
    follower.take([change('consumers', 'a'), change('rollouts', 'r'), change('credentials', 'c')]);
    await settle();
    follower.take([change('bans', 'b'), change('lists', 'l')]);
    follower.take([change('revocations', '')]);
    await settle();
    assert.deepEqual(done, ['callers a,c', 'bans', 'callers ']);
  });

  test('is kept until there is somebody to take it up', async () => {
    const { follower, begin, done } = world();
    follower.take([change('consumers', 'a')]);
    follower.take([change('consumers', 'b')]);
    await settle();
    assert.deepEqual(done, []);
    begin();
    await settle();
    assert.deepEqual(done, ['callers a,b']);
  });

  test('is read again as a whole where nobody knows what it was', async () => {
    const { follower, begin, done } = world();
    follower.take([change('consumers', 'a')]);
    follower.take('unknown');
    follower.take([change('consumers', 'b')]);
    begin();
    await settle();
    assert.deepEqual(done, ['bans', 'callers unknown']);
  });

  test('is read again as a whole where it is very much', async () => {
    const { follower, begin, done } = world();
    follower.take(Array.from({ length: 10_001 }, (_, n) => change('credentials', `c${n}`)));
    begin();
    await settle();
    assert.deepEqual(done, ['callers unknown']);
  });

  test('is tried again when the store fails, in order, with what has come meanwhile', async () => {
    const { follower, begin, done, failing, scheduled, logged, retry } = world();
    begin();
    failing.set('callers', lost);
    follower.take([change('consumers', 'a'), change('bans', '')]);
    await settle();
    follower.take([change('consumers', 'b')]);
    await settle();
    failing.clear();
    await retry();
    assert.deepEqual([done, logged], [['bans', 'callers a,b'], []]);
    failing.set('bans', lost);
    follower.take('unknown');
    await settle();
    await retry();
    failing.clear();
    await retry();
    assert.deepEqual(done.slice(2), ['bans', 'callers unknown']);
    assert.deepEqual(scheduled, []);
  });

  test('what was done without a store goes there first when it is back', async () => {
    const { follower, begin, done, failing, retry } = world();
    begin();
    failing.set('catchUp', lost);
    follower.back();
    await settle();
    follower.take('unknown');
    await settle();
    assert.deepEqual(done, []);
    failing.clear();
    await retry();
    assert.deepEqual(done, ['catchUp', 'bans', 'callers unknown']);
  });

  test('a defect is told of, and tried again', async () => {
    const { follower, begin, done, failing, logged, retry } = world();
    begin();
    failing.set('bans', new Error('defect'));
    follower.take([change('bans', '')]);
    await settle();
    assert.deepEqual(logged, ['store-changes-not-taken']);
    failing.clear();
    await retry();
    assert.deepEqual(done, ['bans']);
  });

  test('is of no interest at the end', async () => {
    const { follower, begin, done } = world();
    begin();
    follower.end();
    follower.take('unknown');
    await settle();
    assert.deepEqual(done, []);
  });
});
