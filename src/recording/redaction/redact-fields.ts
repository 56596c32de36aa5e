import type { CredentialFields } from '../../contract/index.ts';
import { holdsRandomRun, holdsSecretShape } from '../../lib/secret-shapes.ts';
import { decodedWhole } from './decoded.ts';
import { isSecretField } from './secret-names.ts';

/** What a header field is known for. `random`: its values look like keys and are none, as those of digests do. */
type Kind = 'secret' | 'random' | 'other' | 'unnameable';

/** Names stay what they are: what is looked up once is remembered, up to so many. */
const MAX_KNOWN = 2000;

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
  readonly #credentials: ReadonlySet<string>;
  /** By the name as it came. */
  readonly #kinds = new Map<string, Kind>();

  constructor({ headers }: CredentialFields) {
    this.#credentials = new Set(headers);
  }

  /** A new list; what is given stays as it is. */
  redact(flat: readonly string[]): RedactedFields {
    const headers = flat.slice();
    let withheld: string[] | undefined;
    for (let i = 0; i < flat.length; i += 2) {
      const kind = this.#kinds.get(flat[i]) ?? this.#learn(flat[i]);
      if (flat[i + 1] === '' && kind !== 'unnameable') continue;
      if (!isWithheld(kind, flat[i + 1])) continue;
      headers[i + 1] = '';
      if (kind === 'unnameable') headers[i] = 'x-withheld';
      const name = headers[i].toLowerCase();
      withheld ??= [];
      if (!withheld.includes(name)) withheld.push(name);
    }
    return { headers, withheld: withheld ?? NOTHING };
  }

  #learn(name: string): Kind {
    const lower = name.toLowerCase();
    const kind = this.#credentials.has(lower) ? 'secret' : kindOf(lower, name);
    if (this.#kinds.size < MAX_KNOWN) this.#kinds.set(name, kind);
    return kind;
  }
}

function kindOf(lower: string, name: string): Kind {
  if (holdsSecretShape(name) || holdsRandomRun(name)) return 'unnameable';
  if (isSecretField(lower)) return 'secret';
  return LOOKS_RANDOM.test(lower) ? 'random' : 'other';
}

function isWithheld(kind: Kind, value: string): boolean {
  if (kind === 'secret' || kind === 'unnameable') return true;
  if (holdsSecretShape(value) || (kind === 'other' && holdsRandomRun(value))) return true;
  if (!value.includes('%')) return false;
  const whole = decodedWhole(value);
  return whole === undefined || holdsSecretShape(whole);
}
