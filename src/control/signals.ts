import type { Clock } from '../contract/index.ts';

/** The part of `process` that is used. */
export interface SignalSource {
  on(signal: 'SIGTERM' | 'SIGINT' | 'SIGHUP', listener: () => void): unknown;
}

export interface SignalActions {
  /** Ends in good order. Called once. */
  readonly end: () => void;
  /** Ends now, with an exit code that names the signal. */
  readonly endAtOnce: (exitCode: number) => void;
  readonly reload: () => void;
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;
/** Ctrl-C reaches every process of a terminal, and npm passes it on as well: one wish, several signals. */
const SAME_WISH_MS = 500;

/** SIGTERM and SIGINT end, a second one at once; SIGHUP reloads. */
export function obeySignals(source: SignalSource, clock: Clock, actions: SignalActions): void {
  let askedAtMs: number | undefined;
  const ask = (signal: keyof typeof EXIT_CODES) => () => {
    const nowMs = clock.monotonic();
    if (askedAtMs === undefined) {
      askedAtMs = nowMs;
      actions.end();
    } else if (nowMs - askedAtMs >= SAME_WISH_MS) actions.endAtOnce(EXIT_CODES[signal]);
  };
  source.on('SIGTERM', ask('SIGTERM'));
  source.on('SIGINT', ask('SIGINT'));
  source.on('SIGHUP', actions.reload);
}
