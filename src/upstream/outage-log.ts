import type { Clock, Logger } from '../contract/index.ts';
import type { UpstreamError } from '../errors.ts';

/** After a recovery was told, the next outage is told no sooner: one that comes and goes must not fill the log. */
const QUIET_MS = 10_000;

/** Tells the operator of a target's changes of state and why; never of single requests. */
export class OutageLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #fields: Readonly<Record<string, unknown>>;
  #told: 'well' | 'failing' | 'resting' = 'well';
  #quietUntilMs = 0;

  /** `upstream` and `target` are names, as they stand in the metrics. */
  constructor(log: Logger, clock: Clock, upstream: string, target: string) {
    this.#log = log;
    this.#clock = clock;
    this.#fields = { upstream, target };
  }

  /** `restMs` once it rests. Without an error only the rest can be told. */
  failed(error: UpstreamError | undefined, restMs: number | undefined): void {
    if (this.#told === 'resting' || this.#clock.monotonic() < this.#quietUntilMs) return;
    if (this.#told === 'well' && error !== undefined) {
      this.#told = 'failing';
      this.#log.warn('upstream-failing', { ...this.#fields, code: error.code, cause: causeOf(error) });
    }
    if (restMs === undefined) return;
    this.#told = 'resting';
    this.#log.warn('upstream-resting', { ...this.#fields, restMs });
  }

  succeeded(): void {
    if (this.#told === 'well') return;
    this.#told = 'well';
    this.#quietUntilMs = this.#clock.monotonic() + QUIET_MS;
    this.#log.info('upstream-recovered', this.#fields);
  }
}

/** A name with several addresses fails with one error for each, and no message of its own. */
function causeOf({ cause, detail }: UpstreamError): string {
  if (cause instanceof AggregateError) return cause.errors.map(messageOf).join('; ');
  return cause === undefined ? detail : messageOf(cause);
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
