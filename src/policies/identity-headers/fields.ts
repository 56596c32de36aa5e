import type { Identity, IdentityFields } from '../../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../../errors.ts';
import { FieldKind, fieldKind } from '../../http1/index.ts';
import { claimAt, fieldList, fieldText, KONG_FIELDS, parseClaimPath } from '../../identity/index.ts';
import type { IdentityHeadersConfig } from './schema.ts';

/** What a header says of a caller; undefined for nothing. */
type Reader = (identity: Identity) => string | undefined;

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['consumer', ({ consumer }) => fieldText(consumer)],
  ['consumerId', ({ consumerId }) => (consumerId === undefined ? undefined : fieldText(consumerId))],
  ['groups', ({ groups }) => fieldList(groups, ', ')],
  ['scopes', ({ scopes }) => fieldList(scopes, ' ')],
  ['credential', ({ credential }) => (credential === undefined ? undefined : fieldText(credential.id))],
  ['credentialKind', ({ credential }) => (credential === undefined ? undefined : fieldText(credential.kind))],
  ['anonymous', ({ anonymous }) => (anonymous === true ? 'true' : undefined)],
]);

/** Compiles the config. Throws ConfigError for names that are not this policy's to set. */
export function identityFields({ preset = 'kong', headers = {} }: IdentityHeadersConfig): IdentityFields {
  const issues: ConfigIssue[] = [];
  const names = new Set<string>();
  const readers = Object.entries(headers).map(([name, source]) => {
    const lower = name.toLowerCase();
    const message = names.has(lower) ? 'occurs twice, without regard to case' : nameProblem(lower);
    if (message !== undefined) issues.push({ path: `headers.${name}`, message });
    names.add(lower);
    return { name, read: READERS.get(source) ?? claimReader(source.slice('claim:'.length)) };
  });
  if (issues.length > 0) throw new ConfigError(issues);
  const isKong = preset === 'kong';
  return Object.freeze({
    names,
    of(identity: Identity | undefined): readonly string[] {
      if (identity === undefined) return NOTHING;
      // What is named here replaces what the preset says under the same name.
      const fields = isKong ? without(KONG_FIELDS.of(identity), names) : [];
      for (const { name, read } of readers) {
        const value = read(identity);
        if (value !== undefined) fields.push(name, value);
      }
      return fields;
    },
  });
}

const NOTHING: readonly string[] = Object.freeze([]);

function without(flat: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i < flat.length; i += 2)
    if (!names.has(flat[i].toLowerCase())) kept.push(flat[i], flat[i + 1]);
  return kept;
}

function claimReader(text: string): Reader {
  const path = parseClaimPath(text);
  return ({ claims }) => {
    const value = claimAt(claims, path);
    if (!Array.isArray(value)) return isScalar(value) ? fieldText(String(value)) : undefined;
    // A list with something else in it cannot be said whole, and half of it says something else.
    return value.every(isScalar) ? fieldList(value.map(String), ', ') : undefined;
  };
}

const isScalar = (value: unknown): value is string | number | boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

/** Names of the families that servers take for a caller's identity; any other `X-Forwarded-*` is about the way. */
const OF_CALLERS =
  /^x-(?:consumer|credential|authenticated)-|^x-anonymous-consumer$|^x-forwarded-(?:user|email|groups|preferred-username)$/;
const FREE: ReadonlySet<FieldKind> = new Set([FieldKind.OTHER]);

function nameProblem(lower: string): string | undefined {
  const kind = fieldKind(lower);
  if (FREE.has(kind) || (kind === FieldKind.FORWARDING && OF_CALLERS.test(lower))) return undefined;
  return 'is no header that can say who calls';
}
