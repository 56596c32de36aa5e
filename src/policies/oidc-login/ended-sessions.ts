import { hash } from 'node:crypto';
import type {
  Awaitable,
  CounterState,
  PolicyContext,
  Resource,
  ResourceRequest,
} from '../../contract/index.ts';
import { Marks } from './marks.ts';
import { type Session, subjectOf } from './session.ts';

/** Whom the provider says has signed out: a session of its own, or everything of a user. */
export interface SignedOut {
  readonly sid: string | undefined;
  readonly sub: string | undefined;
}

/** The lifetimes of sessions that a worker's policies give at one provider as one client. */
export class Lifetimes implements Resource {
  readonly #uses = new Map<number, number>();

  join(lifeMs: number): void {
    this.#uses.set(lifeMs, (this.#uses.get(lifeMs) ?? 0) + 1);
  }

  leave(lifeMs: number): void {
    const uses = (this.#uses.get(lifeMs) ?? 0) - 1;
    if (uses > 0) this.#uses.set(lifeMs, uses);
    else this.#uses.delete(lifeMs);
  }

  get all(): readonly number[] {
    return [...this.#uses.keys()];
  }

  close(): void {
    this.#uses.clear();
  }
}

export function lifetimesRequest(issuer: string, clientId: string): ResourceRequest<Lifetimes> {
  return {
    key: `oidc-login lifetimes ${JSON.stringify([issuer, clientId])}`,
    is: (resource): resource is Lifetimes => resource instanceof Lifetimes,
    open: () => new Lifetimes(),
  };
}

/**
 * Sessions that ended before their time. Cookies cannot be taken back, so all workers remember since when a session,
 * or all of a user's, are over: those that were begun before are refused, those begun later are not. Remembered as
 * long as such a session could live, and by the provider's and the client's name, so that all routes that sign in
 * there share it.
 */
export class EndedSessions {
  readonly #lifetimes: Lifetimes;
  readonly #scope: string;
  readonly #marks: Marks;

  /** `lifeMs`: of the sessions that are checked here. */
  constructor(issuer: string, clientId: string, lifeMs: number, lifetimes: Lifetimes) {
    this.#scope = `oidc-login ended ${hash('sha256', JSON.stringify([issuer, clientId]), 'base64url')}`;
    this.#lifetimes = lifetimes;
    this.#marks = new Marks(this.#scope, lifeMs);
  }

  /** Whether a session was ended after it was begun. */
  has(c: PolicyContext, session: Session): Awaitable<boolean> {
    for (const [i, key] of keysOf(session).entries()) {
      const since = this.#marks.since(c.deps.state, key, c.now);
      if (since instanceof Promise) return this.#hasFrom(c, session, i);
      if (since !== undefined && session.startedAtMs <= since) return true;
    }
    return false;
  }

  async #hasFrom(c: PolicyContext, session: Session, from: number): Promise<boolean> {
    for (const key of keysOf(session).slice(from)) {
      const since = await this.#marks.since(c.deps.state, key, c.now);
      if (since !== undefined && session.startedAtMs <= since) return true;
    }
    return false;
  }

  /**
   * When a session that begins now begins: behind an end of this very millisecond, which came before it. One that came
   * while the sign-in was being completed is behind it, and ends it.
   */
  async startFor(c: PolicyContext, session: Session): Promise<number> {
    for (const key of keysOf(session)) {
      if ((await this.#marks.since(c.deps.state, key, c.now)) === c.now) return c.now + 1;
    }
    return c.now;
  }

  /** Ends this session, and others of the same sign-in at the provider. */
  async end(c: PolicyContext, session: Session): Promise<void> {
    await this.#renew(c, [keysOf(session)[0]]);
  }

  /** Ends what the provider says. Where it names its session, the user's others go on (Back-Channel Logout §2.6). */
  async signOut(c: PolicyContext, { sid, sub }: SignedOut): Promise<void> {
    const keys: string[] = [];
    if (sid !== undefined) keys.push(sidKey(sid));
    if (sub !== undefined) keys.push(sid === undefined ? subKey(sub) : unnamedKey(sub));
    await this.#renew(c, keys);
  }

  async #renew(c: PolicyContext, keys: readonly string[]): Promise<void> {
    const { state } = c.deps;
    for (const lifeMs of this.#lifetimes.all)
      await renewAll(new Marks(this.#scope, lifeMs), keys, state, c.now);
  }
}

async function renewAll(
  marks: Marks,
  keys: readonly string[],
  state: CounterState,
  nowMs: number,
): Promise<void> {
  for (const key of keys) await marks.renew(state, key, nowMs);
}

const sidKey = (sid: string): string => `sid ${sid}`;
const subKey = (sub: string): string => `sub ${sub}`;
/** Sessions of a user that the provider gave no name: a sign-out of one it names may be theirs. */
const unnamedKey = (sub: string): string => `unnamed ${sub}`;

/** By what a session may have been ended; the first is its own. */
function keysOf(session: Session): readonly string[] {
  const sub = subjectOf(session);
  if (session.sid !== undefined) return [sidKey(session.sid), subKey(sub)];
  return [`id ${session.id}`, subKey(sub), unnamedKey(sub)];
}
