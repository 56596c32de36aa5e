import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Attachment, Mode } from '../contract/index.ts';
import { NetworkError } from '../errors.ts';
import { makeAttachment } from './attachment.ts';
import { Unanswered } from './unanswered.ts';

const attachment = (policy: string, mode: Exclude<Mode, 'off'> = 'enforce'): Attachment =>
  makeAttachment({
    id: `route:r/${policy}`,
    policy,
    mode,
    onError: 'reject',
    when: undefined,
    instance: {},
    body: 'none',
    authenticates: false,
  });

describe('what was asked in vain', () => {
  it('is told once for each reason, by who asked first', () => {
    const unanswered = new Unanswered();
    const evaluation: { asked: Attachment | undefined } = { asked: undefined };
    assert.deepEqual(unanswered.reasons, []);
    unanswered.note('body');
    unanswered.follow(evaluation);
    evaluation.asked = attachment('a');
    unanswered.note('credential');
    evaluation.asked = attachment('b');
    unanswered.note('credential');
    unanswered.note('upstream');
    assert.deepEqual(unanswered.reasons, ['body', 'credential', 'upstream']);
    assert.deepEqual(
      unanswered.reasons.map((reason) => unanswered.askerOf(reason)?.policy),
      [undefined, 'a', 'b'],
    );
  });

  it('in shadow decides nothing', () => {
    const unanswered = new Unanswered();
    unanswered.follow({ asked: attachment('a', 'shadow') });
    unanswered.note('network');
    assert.deepEqual(unanswered.reasons, []);
  });

  it('outside, nobody answers', async () => {
    const unanswered = new Unanswered();
    const request = { method: 'GET', url: 'http://127.0.0.1:1/', timeoutMs: 1, maxBytes: 1 } as const;
    await assert.rejects(unanswered.network.send(request), (error) => {
      assert.ok(error instanceof NetworkError);
      assert.equal(error.failure, 'offline');
      return true;
    });
    assert.deepEqual(unanswered.reasons, ['network']);
  });
});

describe('a look at what was left out', () => {
  const asks: readonly (readonly [name: string, ask: (unanswered: Unanswered) => unknown])[] = [
    ['ends what was asked', (u) => u.look()],
    ['ends what was asked later', async (u) => u.look()],
    [
      'is told although it was caught',
      (u) => {
        try {
          u.look();
        } catch {
          return 'caught';
        }
      },
    ],
  ];
  for (const [name, ask] of asks) {
    it(name, async () => {
      const unanswered = new Unanswered();
      assert.equal(await unanswered.interrupted(() => ask(unanswered)), 'interrupted');
      assert.deepEqual(unanswered.reasons, []);
      unanswered.look();
      assert.deepEqual(unanswered.reasons, ['credential'], 'afterwards a look is a look');
    });
  }

  it('that was none gives what was asked', async () => {
    const unanswered = new Unanswered();
    assert.equal(
      unanswered.interrupted(() => 1),
      1,
    );
    assert.equal(await unanswered.interrupted(async () => 2), 2);
    const broken = () => {
      throw new TypeError('broken');
    };
    assert.throws(() => unanswered.interrupted(broken), TypeError);
    await assert.rejects(async () => unanswered.interrupted(async () => broken()), TypeError);
  });
});
