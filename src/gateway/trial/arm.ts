import { type ArmFigures, CALLER_GROUPS, LATENCY_BUCKETS, latencyBound } from '../../contract/index.ts';

/** What became of a request, as arms tell it apart. */
export type ArmOutcome = 'answered' | 'denied' | 'gateway-error' | 'upstream-error';

const FIRST_BOUND_MS = latencyBound(0);
const LOG_OF_STEP = Math.log(latencyBound(1) / latencyBound(0));

/** The first bucket whose bound is not below `ms`; the last one for what is longer than all. */
export function latencyBucket(ms: number): number {
  if (!(ms > FIRST_BOUND_MS)) return 0;
  let bucket = Math.ceil(Math.log(ms / FIRST_BOUND_MS) / LOG_OF_STEP);
  // The logarithm is off by its last digits at a bound itself.
  if (bucket > 0 && ms <= latencyBound(bucket - 1)) bucket--;
  return Math.min(bucket, LATENCY_BUCKETS - 1);
}

/** Counts what one of two revisions does with the requests that it decides. To count allocates nothing. */
export class Arm {
  readonly #requests = new Float64Array(CALLER_GROUPS);
  readonly #denied = new Float64Array(CALLER_GROUPS);
  readonly #gatewayErrors = new Float64Array(CALLER_GROUPS);
  readonly #upstreamErrors = new Float64Array(CALLER_GROUPS);
  readonly #latency = new Float64Array(LATENCY_BUCKETS);

  /** `group`: of its caller. `latencyMs`: until the upstream answered; undefined where it did not. */
  count(group: number, outcome: ArmOutcome, latencyMs: number | undefined): void {
    this.#requests[group]++;
    if (outcome === 'denied') this.#denied[group]++;
    else if (outcome === 'gateway-error') this.#gatewayErrors[group]++;
    else if (outcome === 'upstream-error') this.#upstreamErrors[group]++;
    if (latencyMs !== undefined) this.#latency[latencyBucket(latencyMs)]++;
  }

  get figures(): ArmFigures {
    return {
      requests: [...this.#requests],
      denied: [...this.#denied],
      gatewayErrors: [...this.#gatewayErrors],
      upstreamErrors: [...this.#upstreamErrors],
      latency: [...this.#latency],
    };
  }
}
