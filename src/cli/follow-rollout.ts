import { setTimeout as delay } from 'node:timers/promises';
import { type AdminApi, AdminError } from './admin-client.ts';
import { hasEnded, type RolloutAnswer, readRollout } from './rollout-answer.ts';
import { rolloutText } from './rollout-text.ts';
import type { Terminal } from './terminal.ts';

/** It is live; it is not, and never will be; it is on its way. */
export const ROLLOUT_EXIT = Object.freeze({ active: 0, failed: 1, open: 3 });

export const ROLLOUT_EXIT_HELP = `
Exit codes:
  0  the revision is live
  1  it was refused, rolled back, aborted or superseded, or the gateway does not answer
  2  the command was used wrongly
  3  it is on its way, and nothing is decided yet
`;

const POLL_MS = 500;
/** A gateway that starts again goes on where it was. */
const PATIENCE_MS = 60_000;

export interface FollowDeps {
  readonly terminal: Terminal;
  /** Whether a person reads along; otherwise each change is one line of JSON. */
  readonly isText: boolean;
  readonly pollMs?: number;
  readonly patienceMs?: number;
  readonly now?: () => number;
}

/** Shows a rollout as it goes on, until it has ended. Rejects with AdminError where the gateway is gone for long. */
export async function followRollout(api: AdminApi, id: string, deps: FollowDeps): Promise<RolloutAnswer> {
  const show = deps.isText ? new LiveView(deps) : new JsonLines(deps);
  for (;;) {
    const rollout = await readPatiently(api, id, deps);
    show.tell(rollout);
    if (hasEnded(rollout)) return rollout;
    await delay(deps.pollMs ?? POLL_MS);
  }
}

/** What a command that showed it exits with. */
export function exitCodeOf(rollout: RolloutAnswer): number {
  if (rollout.phase === 'active') return ROLLOUT_EXIT.active;
  return hasEnded(rollout) ? ROLLOUT_EXIT.failed : ROLLOUT_EXIT.open;
}

async function readPatiently(api: AdminApi, id: string, deps: FollowDeps): Promise<RolloutAnswer> {
  const now = deps.now ?? Date.now;
  const untilMs = now() + (deps.patienceMs ?? PATIENCE_MS);
  for (;;) {
    try {
      return await readRollout(api, id);
    } catch (error) {
      const isGone = error instanceof AdminError && (error.status === undefined || error.status >= 500);
      if (!isGone || now() >= untilMs) throw error;
    }
    await delay(deps.pollMs ?? POLL_MS);
  }
}

/** One view that is written over where that can be; elsewhere what has changed is written below. */
class LiveView {
  readonly #terminal: Terminal;
  readonly #now: () => number;
  #height = 0;
  #told = '';

  constructor({ terminal, now = Date.now }: FollowDeps) {
    this.#terminal = terminal;
    this.#now = now;
  }

  tell(rollout: RolloutAnswer): void {
    const isLive = this.#terminal.isLive === true;
    const change = changeIn(rollout);
    if (!isLive && change === this.#told) return;
    this.#told = change;
    const text = rolloutText(rollout, this.#now(), this.#terminal);
    const back = isLive && this.#height > 0 ? `\u001b[${this.#height}F\u001b[J` : '';
    this.#terminal.out(`${back}${text}`);
    this.#height = text.split('\n').length - 1;
  }
}

class JsonLines {
  readonly #terminal: Terminal;
  #told = '';

  constructor({ terminal }: FollowDeps) {
    this.#terminal = terminal;
  }

  tell(rollout: RolloutAnswer): void {
    const change = changeIn(rollout);
    if (change === this.#told) return;
    this.#told = change;
    this.#terminal.out(`${JSON.stringify(rollout)}\n`);
  }
}

/** What is told anew when it differs: figures alone are not. */
const changeIn = ({ phase, step, pausedBy, approvals }: RolloutAnswer): string =>
  JSON.stringify([phase, step, pausedBy, approvals.length]);
