import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { type AdminApi, AdminError } from './admin-client.ts';
import { type FormatOptions, formatOf } from './check.ts';
import { hasEnded, type RolloutAnswer, readRollout } from './rollout-answer.ts';
import { endOf, headOf, placeOf, rolloutText } from './rollout-text.ts';
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
  /** Whether a person is to read it; otherwise each change is one line of JSON. */
  readonly isText: boolean;
  readonly pollMs?: number;
  readonly patienceMs?: number;
  readonly now?: () => number;
}

/** Whether it is written for people: where one looks, or text was asked for by name. */
export const isForPeople = (command: Command, options: FormatOptions, { isLive }: Terminal): boolean =>
  formatOf(options) === 'text' && (isLive === true || command.getOptionValueSource('format') === 'cli');

/** Shows a rollout as it goes on, until it has ended. Rejects with AdminError where the gateway is gone for long. */
export async function followRollout(api: AdminApi, id: string, deps: FollowDeps): Promise<RolloutAnswer> {
  const show = viewFor(deps);
  for (;;) {
    const rollout = await readPatiently(api, id, deps);
    show.tell(rollout);
    if (hasEnded(rollout)) return rollout;
    await delay(deps.pollMs ?? POLL_MS);
  }
}

function viewFor(deps: FollowDeps): Pick<LiveView, 'tell'> {
  if (!deps.isText) return new JsonLines(deps);
  return deps.terminal.isLive === true ? new LiveView(deps) : new TextLines(deps);
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

/** One view that is written over as it changes. */
class LiveView {
  readonly #terminal: Terminal;
  readonly #now: () => number;
  #height = 0;

  constructor({ terminal, now = Date.now }: FollowDeps) {
    this.#terminal = terminal;
    this.#now = now;
  }

  tell(rollout: RolloutAnswer): void {
    const text = rolloutText(rollout, this.#now(), this.#terminal);
    const back = this.#height > 0 ? `\u001b[${this.#height}F\u001b[J` : '';
    this.#terminal.out(`${back}${text}`);
    this.#height = text.split('\n').length - 1;
  }
}

/** For a log that people read: a line for each change, with its time, and at the end why. */
class TextLines {
  readonly #terminal: Terminal;
  readonly #now: () => number;
  #told = '';

  constructor({ terminal, now = Date.now }: FollowDeps) {
    this.#terminal = terminal;
    this.#now = now;
  }

  tell(rollout: RolloutAnswer): void {
    const change = changeIn(rollout);
    if (change === this.#told) return;
    const head = this.#told === '' ? `${headOf(rollout)}\n` : '';
    this.#told = change;
    const at = (rollout.endedAt ?? rollout.history.at(-1)?.at ?? rollout.startedAt).replace(/\.\d+Z$/, 'Z');
    const [what = '', ...more] = hasEnded(rollout)
      ? endOf(rollout, this.#terminal)
      : [placeOf(rollout, this.#now())];
    const rest = more.map((line) => `${line}\n`).join('');
    this.#terminal.out(`${head}${at}  ${what.trimStart()}\n${rest}`);
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
