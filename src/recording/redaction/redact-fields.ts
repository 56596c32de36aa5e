import { holdsRandomRun, holdsSecretShape } from '../../lib/secret-shapes.ts';
import { decodedWhole } from './decoded.ts';
import { LEAST_REPEATED } from './redact-target.ts';
import { isSecretField } from './secret-names.ts';
import { holdsSecretValue } from './value-secrets.ts';

/**
 * What a header field is known for. `random`: its values look like keys and are none, as those of digests do; `protocols`:
 * browsers, which can send nothing else with a WebSocket, have tokens in it.
 */
type Kind = 'secret' | 'random' | 'other' | 'protocols' | 'unnameable';

/** Names stay what they are: what is looked up once is remembered, up to so many. */
const MAX_KNOWN = 2000;

/** Values that come again and again, such as those of browsers, are looked through once. */
const MAX_CLEAN = 500;
const MAX_CLEAN_LENGTH = 300;

const PRESENTS = /auth|token|bearer|jwt|key|secret|passw|session|credential|cookie/i;
const LONG_ITEM = 20;

const LOOKS_RANDOM =
  /^(?:user-agent|accept(?:-.*)?|content-(?:type|digest|md5|disposition)|(?:repr-|want-)?digest|etag|if-(?:none-)?match|if-range|sec-(?!websocket-protocol).*|traceparent|tracestate|x-request-id|x-amzn-trace-id|idempotency-key)$/;

const NOTHING: readonly string[] = Object.freeze([]);

/** Header fields without the values that are secrets. */
export interface RedactedFields {
  /** Flat, as they came; what is withheld has an empty value. */
  readonly headers: readonly string[];
  /** Names in lower case, each once. */
  readonly withheld: readonly string[];
}

/** Redacts header fields by the credentials that a document's policies read, by their names, and by their shapes. */
export class FieldRedaction {
  readonly #credentials = new Set<string>();
  /** By the name as it came. */
  #kinds = new Map<string, Kind>();
  /** Values in which there is no secret, whatever field they stand in. */
  #clean = new Set<string>();

  /** Fields that hold credentials from now on, beside those that it knows already. */
  learn(headers: readonly string[]): void {
    for (const name of headers) this.#credentials.add(name);
    this.#kinds = new Map();
  }

  /** A new list; what is given stays as it is. `secrets`: of the request's path, which other fields may repeat. */
  redact(flat: readonly string[], secrets: readonly string[] = NOTHING): RedactedFields {
    const headers = flat.slice();
    let withheld: string[] | undefined;
    for (let i = 0; i < flat.length; i += 2) {
      const kind = this.#kinds.get(flat[i]) ?? this.#kindOf(flat[i]);
      if (flat[i + 1] === '' && kind !== 'unnameable') continue;
      if (!this.#isWithheld(kind, flat[i + 1]) && !repeats(flat[i + 1], secrets)) continue;
      headers[i + 1] = '';
      if (kind === 'unnameable') headers[i] = 'x-withheld';
      const name = headers[i].toLowerCase();
      withheld ??= [];
      if (!withheld.includes(name)) withheld.push(name);
    }
    return { headers, withheld: withheld ?? NOTHING };
  }

  #isWithheld(kind: Kind, value: string): boolean {
    if (kind === 'secret' || kind === 'unnameable') return true;
    if (kind === 'protocols' && presents(value)) return true;
    if (this.#clean.has(value)) return false;
    if (holdsSecretValue(value)) return true;
    const looksRandom = holdsRandomRun(value);
    if (kind === 'other' && looksRandom) return true;
    if (!looksRandom && value.length <= MAX_CLEAN_LENGTH) this.#remember(value);
    return false;
  }

  #remember(value: string): void {
    if (this.#clean.size >= MAX_CLEAN) this.#clean = new Set();
    // A copy: a part of a head would keep all of it in memory.
    this.#clean.add(Buffer.from(value, 'latin1').toString('latin1'));
  }

  #kindOf(name: string): Kind {
    const lower = name.toLowerCase();
    const kind = this.#credentials.has(lower) ? 'secret' : kindOf(lower, name);
    if (kind === 'unnameable') return kind;
    if (this.#kinds.size >= MAX_KNOWN) this.#kinds = new Map();
    this.#kinds.set(Buffer.from(name, 'latin1').toString('latin1'), kind);
    return kind;
  }
}

/** Whether a list of protocols is more than that. */
const presents = (value: string): boolean =>
  PRESENTS.test(value) || value.split(/[,\s]/).some((item) => item.length >= LONG_ITEM && /\d/.test(item));

/** A page that was opened by a link with a secret in it sends that as `Referer`. */
function repeats(value: string, secrets: readonly string[]): boolean {
  if (secrets.length === 0) return false;
  const whole = decodedWhole(value) ?? value;
  return secrets.some((secret) => secret.length >= LEAST_REPEATED && whole.includes(secret));
}

function kindOf(lower: string, name: string): Kind {
  if (holdsSecretShape(name) || holdsRandomRun(name)) return 'unnameable';
  if (isSecretField(lower)) return 'secret';
  if (lower === 'sec-websocket-protocol') return 'protocols';
  return LOOKS_RANDOM.test(lower) ? 'random' : 'other';
}
