import type { EditJournal, LimitOutcome, NumberedField, PolicyContext } from '../contract/index.ts';
import { InternalError } from '../errors.ts';
import { numberedField } from '../evaluator/index.ts';
import { Type } from '../lib/schema.ts';

/** A limit as answers tell of it. */
export interface ToldLimit {
  /** Of the characters that need no escape in a structured string. */
  readonly name: string;
  readonly limit: number;
  /** Undefined for a window of changing length, like a month. */
  readonly windowMs: number | undefined;
  /** How Kong calls the window; by default from its length. */
  readonly kongWindow?: KongWindow | undefined;
}

/** Tells the client, in header fields of the answer, what its limits stand at. */
export interface LimitHeaders {
  /** For one limit. */
  append(c: PolicyContext, outcome: LimitOutcome): void;
  /**
   * For several, in their order. `returned`: what those that had room got back since another refused, else 0.
   */
  appendAll(c: PolicyContext, outcomes: readonly LimitOutcome[], returned: number): void;
}

export const headersSchema = Type.Union(
  [
    Type.Literal('draft'),
    Type.Literal('kong'),
    Type.Literal('envoy'),
    Type.Literal('openai'),
    Type.Literal('none'),
  ],
  {
    description:
      'What answers say of the limit. `draft`: RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers); `kong`, `envoy`, `openai`: the names these use; `none`: only Retry-After on a 429.',
    default: 'draft',
  },
);

export type HeadersPreset = 'draft' | 'kong' | 'envoy' | 'openai' | 'none';

/** Undefined for `none`. `limits` are at least one; for `kong` each has a window that Kong has a name for. */
export function limitHeaders(
  preset: HeadersPreset | undefined,
  limits: readonly ToldLimit[],
): LimitHeaders | undefined {
  switch (preset) {
    case undefined:
    case 'draft':
      return new DraftHeaders(limits);
    case 'kong':
      return new PresetHeaders(limits, kongWriter(limits));
    case 'envoy':
      return new PresetHeaders(limits, envoyWriter(limits));
    case 'openai':
      return new PresetHeaders(limits, openaiWriter(limits));
    case 'none':
      return undefined;
  }
}

/** Rounded up: a client that waits for as long as it was told gets through. */
export const wholeSeconds = (ms: number): number => Math.ceil(ms / 1000);

/** A name for the headers when the document gives none: the attachment's own part of its id. */
export function limitName(attachment: string, route: string | undefined): string {
  const own = attachment.slice(attachment.lastIndexOf('/') + 1).replace(/[^A-Za-z0-9._-]/g, '-');
  return route === undefined ? `listener-${own}` : own;
}

/** A refused client must not read an earlier time here than in Retry-After. */
const untilMs = ({ allowed, resetMs, retryAfterMs }: LimitOutcome): number =>
  allowed || retryAfterMs === Number.POSITIVE_INFINITY ? resetMs : retryAfterMs;

const leftOf = ({ allowed, remaining }: LimitOutcome, returned: number): number =>
  allowed ? remaining + returned : remaining;

/** In whole seconds, or undefined: a window that is none is better left out than told wrongly. */
const secondsOf = (windowMs: number | undefined): number | undefined =>
  windowMs === undefined || windowMs % 1000 !== 0 ? undefined : windowMs / 1000;

/**
 * The RateLimit fields of draft-ietf-httpapi-ratelimit-headers-11 (an Internet-Draft, not RFC 9331): lists of
 * structured items (RFC 9651), so that several limits on one request, of one attachment or of several, are members of
 * one list.
 */
class DraftHeaders implements LimitHeaders {
  readonly #policy: NumberedField;
  readonly #limit: NumberedField;
  /** What is left of each limit and for how long, one after the other: one list for all requests, used up at once. */
  readonly #numbers: number[] = [];

  constructor(limits: readonly ToldLimit[]) {
    const policies = limits.map(({ name, limit, windowMs }) => {
      const seconds = secondsOf(windowMs);
      return `"${name}";q=${limit}${seconds === undefined ? '' : `;w=${seconds}`}`;
    });
    const members = limits.flatMap(({ name }, i) => [`${i === 0 ? '' : ', '}"${name}";r=`, ';t=']);
    this.#policy = numberedField('RateLimit-Policy', [policies.join(', ')]);
    this.#limit = numberedField('RateLimit', [...members, '']);
  }

  append({ edits }: PolicyContext, outcome: LimitOutcome): void {
    this.#note(0, outcome, 0);
    this.#tell(edits);
  }

  appendAll({ edits }: PolicyContext, outcomes: readonly LimitOutcome[], returned: number): void {
    for (let i = 0; i < outcomes.length; i++) this.#note(i, outcomes[i], returned);
    this.#tell(edits);
  }

  #note(i: number, outcome: LimitOutcome, returned: number): void {
    this.#numbers[2 * i] = leftOf(outcome, returned);
    this.#numbers[2 * i + 1] = wholeSeconds(untilMs(outcome));
  }

  #tell(edits: EditJournal): void {
    edits.appendResponseField(this.#policy, NO_NUMBERS);
    edits.appendResponseField(this.#limit, this.#numbers);
  }
}

const NO_NUMBERS: readonly number[] = Object.freeze([]);

/** Where a limit stands, as the presets tell it. */
interface Standing {
  readonly left: number;
  readonly untilMs: number;
}

/** Writes where all limits stand; `tightest` is the index of the one that matters most to the client. */
type Writer = (edits: EditJournal, standings: readonly Standing[], tightest: number) => void;

/** Names of others, each of which says the tightest limit in fields of its own: those before are replaced. */
class PresetHeaders implements LimitHeaders {
  readonly #limits: readonly ToldLimit[];
  readonly #write: Writer;

  constructor(limits: readonly ToldLimit[], write: Writer) {
    this.#limits = limits;
    this.#write = write;
  }

  append(c: PolicyContext, outcome: LimitOutcome): void {
    this.appendAll(c, [outcome], 0);
  }

  appendAll({ edits }: PolicyContext, outcomes: readonly LimitOutcome[], returned: number): void {
    const standings = outcomes.map((outcome) => ({
      left: leftOf(outcome, returned),
      untilMs: untilMs(outcome),
    }));
    this.#write(edits, standings, this.#tightest(outcomes, standings));
  }

  /** One that refuses before one that does not; then the longest wait, or the least left; then the longer window. */
  #tightest(outcomes: readonly LimitOutcome[], standings: readonly Standing[]): number {
    const rank = (i: number): readonly number[] => {
      const { allowed } = outcomes[i];
      const { left, untilMs: ms } = standings[i];
      return [allowed ? 1 : 0, allowed ? left : -ms, -(this.#limits[i].windowMs ?? 0)];
    };
    let tightest = 0;
    for (let i = 1; i < outcomes.length; i++) if (isLess(rank(i), rank(tightest))) tightest = i;
    return tightest;
  }
}

function isLess(one: readonly number[], other: readonly number[]): boolean {
  const at = one.findIndex((value, i) => value !== other[i]);
  return at !== -1 && one[at] < other[at];
}

const KONG_WINDOWS = Object.freeze({
  Second: 1000,
  Minute: 60_000,
  Hour: 3_600_000,
  Day: 86_400_000,
  Month: 30 * 86_400_000,
  Year: 365 * 86_400_000,
});

export type KongWindow = keyof typeof KONG_WINDOWS;

const isKongWindow = (name: string): name is KongWindow => Object.hasOwn(KONG_WINDOWS, name);

/** How Kong calls a window of that length, or undefined: it has six. Its month is 30 days, its year 365. */
export function kongWindowOf(windowMs: number | undefined): KongWindow | undefined {
  return Object.keys(KONG_WINDOWS)
    .filter(isKongWindow)
    .find((name) => KONG_WINDOWS[name] === windowMs);
}

/** As Kong's rate-limiting plugin: each limit by its window, and the tightest without. */
function kongWriter(limits: readonly ToldLimit[]): Writer {
  const windows = limits.map(({ kongWindow, windowMs }) => kongWindow ?? kongWindowOf(windowMs));
  if (windows.includes(undefined)) throw new InternalError('Kong has no name for a window');
  return (edits, standings, tightest) => {
    for (const [i, { left }] of standings.entries()) {
      edits.setResponseHeader(`X-RateLimit-Limit-${windows[i]}`, `${limits[i].limit}`);
      edits.setResponseHeader(`X-RateLimit-Remaining-${windows[i]}`, `${left}`);
    }
    const { left, untilMs: ms } = standings[tightest];
    edits.setResponseHeader('RateLimit-Limit', `${limits[tightest].limit}`);
    edits.setResponseHeader('RateLimit-Remaining', `${left}`);
    edits.setResponseHeader('RateLimit-Reset', `${wholeSeconds(ms)}`);
  };
}

/** As Envoy's rate limit filter with `enable_x_ratelimit_headers: DRAFT_VERSION_03`. */
function envoyWriter(limits: readonly ToldLimit[]): Writer {
  const policies = limits
    .map(({ name, limit, windowMs }) => {
      const seconds = secondsOf(windowMs);
      return `${limit}${seconds === undefined ? '' : `;w=${seconds}`};name="${name}"`;
    })
    .join(', ');
  return (edits, standings, tightest) => {
    const { left, untilMs: ms } = standings[tightest];
    edits.setResponseHeader('x-ratelimit-limit', `${limits[tightest].limit}, ${policies}`);
    edits.setResponseHeader('x-ratelimit-remaining', `${left}`);
    edits.setResponseHeader('x-ratelimit-reset', `${wholeSeconds(ms)}`);
  };
}

/** As OpenAI's API tells of requests; times as Go writes durations: `20ms`, `1.5s`, `6m0s`. */
function openaiWriter(limits: readonly ToldLimit[]): Writer {
  return (edits, standings, tightest) => {
    const { left, untilMs: ms } = standings[tightest];
    edits.setResponseHeader('x-ratelimit-limit-requests', `${limits[tightest].limit}`);
    edits.setResponseHeader('x-ratelimit-remaining-requests', `${left}`);
    edits.setResponseHeader('x-ratelimit-reset-requests', goDuration(ms));
  };
}

function goDuration(ms: number): string {
  const whole = Math.ceil(ms);
  if (whole === 0) return '0s';
  if (whole < 1000) return `${whole}ms`;
  const hours = Math.floor(whole / 3_600_000);
  const minutes = Math.floor(whole / 60_000) % 60;
  const seconds = `${(whole % 60_000) / 1000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
