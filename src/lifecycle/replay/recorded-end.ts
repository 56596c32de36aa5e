import type { JudgedOutcome, RecordedRequest, RequestEnd } from '../../contract/index.ts';
import { ERRORS, type ErrorCode } from '../../errors.ts';

/** How a request ended, as `Evaluation.end` is told. */
export type End = Omit<RequestEnd, 'decisions'>;

/** Nobody knows what the upstream would have answered: whoever asks is told nothing, and is noted. */
class UnknownEnd implements End {
  readonly code = undefined;
  readonly #onAsked: () => void;

  constructor(onAsked: () => void) {
    this.#onAsked = onAsked;
  }

  get status(): number {
    this.#onAsked();
    return 0;
  }

  get upstreamMs(): undefined {
    this.#onAsked();
    return undefined;
  }
}

/** How a request ends that goes on to the upstream, by what that answered then. */
export function endForwarded({ upstream }: RecordedRequest, onUnknown: () => void): End {
  if (upstream === undefined) return new UnknownEnd(onUnknown);
  return { status: upstream.status, code: undefined, upstreamMs: upstream.ms };
}

/** How it ended then: for a request that nobody can judge again, so that no guess is held against anybody. */
export function endAsRecorded(record: RecordedRequest, onUnknown: () => void): End {
  const { outcome } = record;
  if (outcome === undefined || outcome.kind === 'forward') return endForwarded(record, onUnknown);
  return { status: outcome.status, code: codeOf(outcome), upstreamMs: undefined };
}

function codeOf({ code }: JudgedOutcome): ErrorCode | undefined {
  return code !== undefined && isErrorCode(code) ? code : undefined;
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);

/**
 * When a request ends. What began in whole milliseconds ends in such: of two in the same one, the second came after the
 * first as far as anybody knows.
 */
export function endOfRecord(beganMs: number, { durationMs }: Pick<RecordedRequest, 'durationMs'>): number {
  const endMs = beganMs + durationMs;
  return Number.isInteger(beganMs) ? Math.floor(endMs) : endMs;
}
