import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../fixtures/process.ts';
import { type RolloutState, Stage, type StatusState } from '../fixtures/rollouts/stage.ts';

/** `SALLYPORT_KILLS=200 SALLYPORT_SEED=1 node --test test/e2e/rollout-killed.test.ts` does it by hand. */
const KILLS = Number(process.env.SALLYPORT_KILLS ?? 20);
const SEED = Number(process.env.SALLYPORT_SEED ?? Date.now() % 1_000_000);
/** About as long as a rollout takes. */
const LONGEST_MS = 1400;

const ROLLOUT = {
  shadow: { for: '200ms', share: '50%' },
  steps: [
    { canary: '20%', for: '300ms' },
    { canary: '60%', for: '300ms' },
  ],
};
const OPEN = ['approval', 'shadow', 'canary', 'activating'];

/** mulberry32: the same numbers for the same seed. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe(`a gateway that is killed ${KILLS} times in the middle of rollouts (seed ${SEED})`, () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open();
    await stage.write(stage.document('first'));
    await stage.start();
  });
  after(() => stage.close());

  const status = async () => (await stage.admin<StatusState>('GET', '/api/status')).body;
  const current = async () => (await stage.admin<RolloutState>('GET', '/api/rollouts/current')).body;
  const hasEnded = async () => !OPEN.includes((await current()).phase);

  it('serves, says what, and goes on, every time', { timeout: 60_000 + KILLS * 20_000 }, async () => {
    const random = numbers(SEED);
    const seen = new Map<string, number>();
    for (let n = 1; n <= KILLS; n++) {
      const before = (await status()).revision;
      const afterMs = random() * LONGEST_MS;
      const wanted = await oneKill(n, afterMs);
      const phase = await consistent(
        before,
        wanted,
        `kill ${n} after ${Math.round(afterMs)} ms (seed ${SEED})`,
      );
      seen.set(phase, (seen.get(phase) ?? 0) + 1);
      await eventually(hasEnded, 20_000);
    }
    const verified = await stage.admin<{ intact: boolean }>('GET', '/api/audit/verification');
    assert.equal(verified.body.intact, true);
    console.log(
      `    found after ${KILLS} kills: ${[...seen].map(([phase, times]) => `${phase} ${times}`).join(', ')}`,
    );
  });

  /** Publishes, kills and starts again. Gives the revision that was on its way; undefined where nobody knows it. */
  async function oneKill(n: number, afterMs: number): Promise<string | undefined> {
    // Now and then over another document on disk, and now and then one that is live at once.
    const document = stage.document(`change ${n}`, n % 5 === 0 ? {} : { rollout: ROLLOUT });
    stage.call();
    const answer = stage.admin('POST', '/api/rollouts', document).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await stage.kill();
    await stage.rest();
    const wanted = (await answer)?.body.revision;
    await stage.start();
    return wanted;
  }

  /** What is served is one of the two, all workers say the same of it, and somebody can tell why. Gives the phase. */
  async function consistent(before: string, wanted: string | undefined, when: string): Promise<string> {
    const now = await status();
    const latest = await stage.admin<RolloutState>('GET', '/api/rollouts/current');
    const rollout = latest.status === 200 ? latest.body : undefined;
    assert.equal(now.ready, true, when);
    const known = new Set([before, wanted ?? rollout?.revision, rollout?.revision]);
    assert.ok(known.has(now.revision), `${when}: ${now.revision} is served`);
    const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => stage.ask(n)));
    for (const { status: code, revision } of answers) {
      assert.equal(code, 200, when);
      assert.ok(known.has(revision), `${when}: ${revision} has decided`);
    }
    if (rollout === undefined) return 'none';
    const isOpen = OPEN.includes(rollout.phase);
    if (isOpen && rollout.phase !== 'activating') assert.equal(now.revision, rollout.base, when);
    if (isOpen) assert.notEqual(rollout.waitsFor, null, when);
    if (!isOpen) assert.equal(new Set(answers.map(({ revision }) => revision)).size, 1, when);
    if (rollout.revision === wanted && rollout.phase === 'active') assert.equal(now.revision, wanted, when);
    return isOpen ? rollout.phase : 'ended';
  }
});
