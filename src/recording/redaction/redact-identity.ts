import type { Identity } from '../../contract/index.ts';
import { holdsRandomRun, holdsSecretShape } from '../../lib/secret-shapes.ts';
import { isSecretMember, isSecretText } from './secret-names.ts';
import { jsonHoldsSecret } from './value-secrets.ts';

/** Who called, without claims that are secrets or too large. */
export interface RedactedIdentity {
  readonly identity: Identity;
  /** Names of the claims that are left out. */
  readonly withheld: readonly string[];
}

/** In characters of JSON: of one claim, and of all. */
const MAX_CLAIM = 1024;
const MAX_CLAIMS = 4096;
const NOTHING: readonly string[] = Object.freeze([]);

/** Identities are shared by the requests of a credential: each is looked through once. */
const known = new WeakMap<Identity, RedactedIdentity>();

/** Keeps what rules read of a caller: the consumer, groups, scopes and claims. What proved it never was in it. */
export function redactIdentity(identity: Identity): RedactedIdentity {
  const before = known.get(identity);
  if (before !== undefined) return before;
  const redacted = looked(identity);
  known.set(identity, redacted);
  return redacted;
}

function looked(identity: Identity): RedactedIdentity {
  const withheld: string[] = [];
  const kept: [string, unknown][] = [];
  let room = MAX_CLAIMS;
  for (const [name, value] of Object.entries(identity.claims)) {
    const text = JSON.stringify(value) ?? 'null';
    room -= text.length;
    if (text.length > MAX_CLAIM || room < 0 || isSecretClaim(name, text)) withheld.push(name);
    else kept.push([name, value]);
  }
  if (withheld.length === 0) return { identity, withheld: NOTHING };
  return { identity: { ...identity, claims: Object.fromEntries(kept) }, withheld };
}

/** A number or a flag is no secret, whatever its name. */
function isSecretClaim(name: string, text: string): boolean {
  if (holdsSecretShape(name) || holdsRandomRun(name)) return true;
  if (isSecretMember(name) && isSecretText(name) && /^["{[]/.test(text)) return true;
  return jsonHoldsSecret(text);
}
