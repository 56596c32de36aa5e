import type { Counter, FlipKind, Load, ShadowShare, Undecidable } from '../../contract/index.ts';
import { flipOf } from '../../evaluator/index.ts';
import type { EndedExchange } from '../recorder.ts';
import type { Serving } from '../serving.ts';
import type { Witness } from '../witness.ts';
import { Budget } from './budget.ts';
import { whyGuessed } from './guess.ts';
import type { SecondJudges } from './judges.ts';
import { Sample } from './sample.ts';
import type { SecondJudge, SecondJudgement } from './second-judge.ts';
import { type SeenRequest, seenRequest } from './seen.ts';
import { ShadowTally } from './tally.ts';

/** Of each body so much is kept; what policies would see of a longer one is not decided. */
const BODY_BYTES = 64 * 1024;
/** Requests, and bytes of their bodies, that wait to be judged. */
const MAX_WAITING = 256;
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** Requests of clients are not to wait for it longer. */
const TURN_MS = 1;
/** While the event loop is late by more, live requests are all it does. */
const LATE_MS = 20;
/** One that takes longer waits for somebody. */
const PATIENCE_MS = 1000;

/** Counts judgements by what they came to, and the seconds they took. */
export interface ShadowMeters {
  readonly same: Counter;
  readonly flip: Counter;
  readonly undecided: Counter;
  readonly leftOut: Counter;
  readonly seconds: Counter;
}

export interface ShadowParts {
  readonly share: ShadowShare;
  readonly active: Serving;
  readonly candidate: Serving;
  readonly judges: SecondJudges;
  readonly meters: ShadowMeters;
  readonly load: Load;
  /** Chooses requests; any number. */
  readonly seed: number;
  /** Monotonic milliseconds. */
  now(): number;
  onDefect(cause: unknown): void;
}

interface Waiting {
  readonly seen: SeenRequest;
  readonly judge: SecondJudge;
  /** Whether it is the candidate that judged it for real. */
  readonly isOfCandidate: boolean;
}

/**
 * Judges a share of the requests that have ended once more, by the revision that did not decide them, and compares. In
 * turns of its own, one after the other, and for no longer than its budget lasts.
 */
export class Shadow implements Witness {
  /** Nothing is kept of bodies that no policy looks at. */
  readonly bodyBytes: number;
  /** What it has shown so far. */
  readonly tally = new ShadowTally();
  readonly #parts: ShadowParts;
  readonly #budget: Budget;
  readonly #sample: Sample;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #isRunning = false;

  constructor(parts: ShadowParts) {
    this.#parts = parts;
    this.bodyBytes = [parts.active, parts.candidate].some(looksAtBodies) ? BODY_BYTES : 0;
    this.#budget = new Budget(parts.share.budget, parts.now());
    this.#sample = new Sample(parts.share.share, parts.seed);
  }

  ended(exchange: EndedExchange): void {
    const { active, candidate, judges, load, now } = this.#parts;
    const { serving } = exchange;
    if (serving !== active && serving !== candidate) return;
    const isOfCandidate = serving === candidate;
    const judge = judges.of((isOfCandidate ? active : candidate).revision);
    if (judge === undefined || !this.#sample.next()) return;
    if (judge === 'failed') return this.#undecided('failed');
    const beganMs = now();
    if (load.lagMs > LATE_MS || !this.#hasRoom || !this.#budget.isLeft(beganMs)) return this.#leaveOut();
    const seen = seenRequest(exchange);
    if (seen !== undefined) this.#wait({ seen, judge, isOfCandidate });
    this.#spend(now() - beganMs);
  }

  /** Whatever waits is forgotten. */
  stop(): void {
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
  }

  get #hasRoom(): boolean {
    return this.#waiting.length < MAX_WAITING && this.#waitingBytes < MAX_WAITING_BYTES;
  }

  #wait(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#waitingBytes += waiting.seen.body?.length ?? 0;
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    const { now } = this.#parts;
    const untilMs = now() + TURN_MS;
    for (;;) {
      const next = this.#waiting.shift();
      if (next === undefined) {
        this.#isRunning = false;
        return;
      }
      this.#waitingBytes -= next.seen.body?.length ?? 0;
      const beganMs = now();
      if (!this.#budget.isLeft(beganMs)) {
        this.#leaveOut();
        continue;
      }
      const judgement = this.#judge(next);
      if (judgement instanceof Promise) return void this.#goOnAfter(judgement, beganMs);
      this.#spend(now() - beganMs);
      if (now() >= untilMs) return void setImmediate(() => this.#turn());
    }
  }

  /** A promise, which never rejects, where it is not done yet. */
  #judge(waiting: Waiting): Promise<void> | undefined {
    const { seen, judge } = waiting;
    judge.begin();
    try {
      const judgement = judge.judge(seen);
      if (judgement instanceof Promise) return this.#settleLater(waiting, judgement);
      this.#settle(waiting, judgement);
    } catch (cause) {
      this.#fail(cause);
    }
    this.#release(judge);
    return undefined;
  }

  async #settleLater(waiting: Waiting, judgement: Promise<SecondJudgement>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS, 'late').unref();
    });
    const release = (): void => this.#release(waiting.judge);
    void judgement.then(release, release);
    try {
      const settled = await Promise.race([judgement, late]);
      if (settled === 'late') this.#undecided('network');
      else this.#settle(waiting, settled);
    } catch (cause) {
      this.#fail(cause);
    } finally {
      clearTimeout(timer);
    }
  }

  /** What it waits for counts as well: that may be work of other threads. */
  async #goOnAfter(judgement: Promise<void>, beganMs: number): Promise<void> {
    await judgement;
    this.#spend(this.#parts.now() - beganMs);
    setImmediate(() => this.#turn());
  }

  #settle({ seen, isOfCandidate }: Waiting, judgement: SecondJudgement | undefined): void {
    // The other revision does not listen there.
    if (judgement === undefined) return;
    const { outcome: again, undecided, asked } = judgement;
    if (again === undefined) return this.#undecided(undecided ?? 'failed');
    const { outcome: live, source, consumer } = seen;
    const [before, after] = isOfCandidate ? [again, live] : [live, again];
    const flip = flipOf(before, after);
    if (flip === undefined) return this.#same();
    const guessed = whyGuessed(live, asked);
    if (guessed !== undefined) this.#undecided(guessed);
    else this.#flip({ flip, before, after, consumer }, source.id);
  }

  #same(): void {
    this.tally.same();
    this.#parts.meters.same.add(1);
  }

  #flip(kind: FlipKind, requestId: string): void {
    this.tally.flip(kind, requestId);
    this.#parts.meters.flip.add(1);
  }

  #undecided(reason: Undecidable): void {
    this.tally.undecided(reason);
    this.#parts.meters.undecided.add(1);
  }

  #leaveOut(): void {
    this.tally.leftOut();
    this.#parts.meters.leftOut.add(1);
  }

  #fail(cause: unknown): void {
    this.#undecided('failed');
    this.#parts.onDefect(cause);
  }

  #release(judge: SecondJudge): void {
    judge.ended().catch((cause: unknown) => this.#parts.onDefect(cause));
  }

  #spend(ms: number): void {
    this.#budget.spend(ms);
    this.tally.spent(ms);
    this.#parts.meters.seconds.add(ms / 1000);
  }
}

const looksAtBodies = ({ snapshot }: Serving): boolean =>
  snapshot.attachments.some(({ body }) => body === 'buffer');
