/** The shared store that the scores are in is lost, and found again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CONFIG, GUESS, Stage } from '../../../test/fixtures/adaptive/stage.ts';
import { type Loss, losableState } from '../../../test/fixtures/losable-state.ts';
import { remote } from '../../../test/fixtures/nobody-there.ts';
import type { ContextOptions, RecordedContext } from '../../../test/fixtures/policy-context.ts';
import type { CounterState, Notice, RequestEnd } from '../../contract/index.ts';
import type { AdaptiveLimitConfig } from './schema.ts';

const OTHER = { client: '192.0.2.99' } as const;
const OK: Partial<RequestEnd> = { status: 200 };

/** What a request was answered, and what was noticed while it was judged and when it had ended. */
interface Seen {
  readonly code: string;
  readonly judged: readonly Notice[];
  readonly ended: readonly Notice[];
}

async function send(stage: Stage, end = OK, options: ContextOptions = {}): Promise<Seen> {
  stage.nowMs += 101;
  const { decision, context } = await stage.ask(options);
  const judged = [...context.notices];
  if (decision.kind === 'continue') await context.end(end);
  const code = decision.kind === 'reject' ? decision.error.code : decision.kind;
  return { code, judged, ended: context.notices.slice(judged.length) };
}

for (const [how, told] of [
  ['at once', (state: CounterState) => state],
  ['later', remote],
] as const)
  describe(`adaptive-limit that is told ${how} that its scores are lost`, () => {
    const losable = async (over: Partial<AdaptiveLimitConfig> = {}) => {
      const store = losableState();
      return { store, stage: await Stage.of({ ...CONFIG, ...over }, told(store)) };
    };
    /** A caller that is at its floor by what the store knows. */
    const tightened = async (over: Partial<AdaptiveLimitConfig> = {}) => {
      const { store, stage } = await losable(over);
      await stage.misbehave(40, GUESS);
      assert.equal(await stage.limit(), 5);
      return { store, stage };
    };

    it('restores nobody for it: what was known fades as it would have', async () => {
      const { store, stage } = await tightened();
      for (const lost of ['sums', 'all'] satisfies Loss[]) {
        store.lost = lost;
        assert.equal(await stage.limit(), 5, lost);
      }
      stage.nowMs += 150_000;
      const half = await stage.limit();
      assert.ok(half > 5 && half < 100, `${half}`);
      stage.nowMs += 150_000;
      assert.equal(await stage.limit(), 100);
      store.lost = 'nothing';
      assert.ok((await stage.limit()) < 100, 'what the store knows is known again');
    });

    it('adds up here, counts that once for each request, and forgets it when the store is back', async () => {
      const { store, stage } = await losable({ onStateLoss: 'local' });
      store.lost = 'all';
      const lost = { code: 'continue', judged: ['state-lost'], ended: [] };
      for (let n = 0; n < 10; n++) assert.deepEqual(await send(stage, GUESS), lost);
      for (let n = 0; n < 10; n++) await send(stage, GUESS);
      assert.ok((await stage.limit()) < 100);
      assert.equal(await stage.limit(OTHER), 100);
      store.lost = 'nothing';
      assert.equal(await stage.limit(), 100);
    });

    it('says so where a request was let on by the store, and ends without it', async () => {
      for (const onStateLoss of ['local', 'open', 'closed'] as const) {
        const { store, stage } = await losable({ onStateLoss });
        for (const [end, ended] of [
          [GUESS, ['state-lost']],
          [OK, []],
        ] as const) {
          store.lost = 'nothing';
          stage.nowMs += 101;
          const { context } = await stage.ask();
          store.lost = 'all';
          await context.end(end);
          assert.deepEqual(context.notices, ended);
        }
      }
    });

    it('says so of a score alone, for as long as it goes by it', async () => {
      const { store, stage } = await losable();
      store.lost = 'sums';
      assert.deepEqual((await send(stage)).judged, ['state-lost']);
      store.lost = 'nothing';
      stage.nowMs += 50;
      assert.deepEqual((await stage.ask()).context.notices, ['state-lost']);
      assert.deepEqual((await send(stage)).judged, []);
    });

    it('says so in shadow', async () => {
      const { store, stage } = await losable({ onStateLoss: 'open' });
      store.lost = 'sums';
      assert.deepEqual((await send(stage, OK, { shadow: true })).judged, ['state-lost']);
    });

    it('open: tightens nobody, adds up nothing, and tells of no move that is none', async () => {
      const { store, stage } = await tightened({ onStateLoss: 'open' });
      for (const lost of ['sums', 'all'] satisfies Loss[]) {
        store.lost = lost;
        assert.equal(await stage.limit(), 100, lost);
        assert.deepEqual((await send(stage, GUESS)).judged, ['state-lost']);
        for (let n = 0; n < 20; n++) await send(stage, GUESS, OTHER);
      }
      store.lost = 'nothing';
      assert.equal(await stage.limit(OTHER), 100);
      const { context } = await askSoon(stage);
      assert.deepEqual(context.notices, []);
      assert.equal(await stage.limit(), 5);
    });

    it('closed: refuses whoever it would have to judge, by a score alone too, and charges nobody for it', async () => {
      for (const lost of ['sums', 'all'] satisfies Loss[]) {
        const { store, stage } = await losable({ onStateLoss: 'closed', limit: 10 });
        assert.equal((await send(stage)).code, 'continue');
        store.lost = lost;
        const refused = { code: 'limits-unavailable', judged: ['state-lost'], ended: [] };
        for (let n = 0; n < 20; n++) assert.deepEqual(await send(stage), refused);
        store.lost = 'nothing';
        for (let n = 0; n < 9; n++) assert.equal((await send(stage)).code, 'continue');
      }
    });

    it('refuses as ever who has used up what this node admits', async () => {
      const { store, stage } = await losable({ limit: 2 });
      store.lost = 'all';
      for (const code of ['continue', 'continue', 'rate-limited'])
        assert.deepEqual(await send(stage), { code, judged: ['state-lost'], ended: [] });
    });

    it('keeps in mind what is usual, and learns nothing meanwhile', async () => {
      const { store, stage } = await losable();
      for (let n = 0; n < 120; n++, stage.nowMs += 10_000) await stage.misbehave(1, OK);
      const flood = async () => {
        for (let n = 0; n < 300; n++, stage.nowMs += 100) await stage.misbehave(1, OK);
        return stage.limit();
      };
      store.lost = 'all';
      const limit = await flood();
      assert.ok(limit < 20, `${limit}`);
      store.lost = 'nothing';
      stage.nowMs += 180_000;
      assert.equal(await stage.limit(), 100);
      assert.ok((await flood()) < 20);
    });
  });

async function askSoon(stage: Stage): Promise<{ readonly context: RecordedContext }> {
  stage.nowMs += 101;
  return stage.ask();
}
