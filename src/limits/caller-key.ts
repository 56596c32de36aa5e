import type { CompileDeps, PolicyContext } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import { compileTextExpression, isConstantExpression } from '../evaluator/index.ts';
import { networkKey } from '../lib/ip-address.ts';
import { type Static, Type } from '../lib/schema.ts';
import { expressionAt } from './expression-at.ts';

/** Who a request is counted for: a key within a scope. */
export interface CallerKey {
  /**
   * The attachment's id where the key is of the kind asked for. The kinds of key have a scope each, so that nobody can
   * name themselves after an address or a consumer.
   */
  readonly scope: string;
  readonly key: string;
  /** Whether anybody may be it, without proving anything. */
  readonly unproven: boolean;
}

/** Tells callers apart. One without the thing asked for is told apart by address, never let on uncounted. */
export type CallerKeys = (c: PolicyContext) => CallerKey;

const HeaderKey = Type.Object(
  {
    header: Type.String({
      description: 'Request header whose value names the caller.',
      pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$",
      patternErrorMessage: 'must be a header name of at most 64 characters, like x-tenant',
      examples: ['x-tenant'],
    }),
  },
  { additionalProperties: false },
);
const ClaimKey = Type.Object(
  {
    claim: Type.String({
      description: 'Claim of the caller’s token whose value, a text or a number, names the caller.',
      minLength: 1,
      maxLength: 200,
      examples: ['tenant'],
    }),
  },
  { additionalProperties: false },
);
const ExpressionKey = Type.Object(
  {
    expression: Type.String({
      description: 'CEL expression that gives a text: whose it is alike are counted together.',
      minLength: 1,
      maxLength: 2000,
      examples: ['consumer + " " + request.method'],
    }),
  },
  { additionalProperties: false },
);
const NetworkKey = Type.Object(
  {
    address: Type.Object(
      {
        ipv4: Type.Optional(
          Type.Integer({ description: 'Bits of an IPv4 address.', minimum: 8, maximum: 32, default: 32 }),
        ),
        ipv6: Type.Optional(
          Type.Integer({ description: 'Bits of an IPv6 address.', minimum: 16, maximum: 128, default: 64 }),
        ),
      },
      { additionalProperties: false, minProperties: 1, description: 'By wider or narrower networks.' },
    ),
  },
  { additionalProperties: false },
);

/** How a document says whose requests are counted together. */
export const bySchema = (description: string) =>
  Type.Union(
    [
      Type.Literal('consumer'),
      Type.Literal('credential'),
      Type.Literal('group'),
      Type.Literal('address'),
      Type.Literal('route'),
      HeaderKey,
      ClaimKey,
      ExpressionKey,
      NetworkKey,
    ],
    { description },
  );

export type By = Static<ReturnType<typeof bySchema>>;

/** Whether it can only tell callers apart behind a policy that proves who calls. */
export const needsIdentity = (by: By | undefined): boolean =>
  by === 'consumer' || by === 'credential' || by === 'group' || (typeof by === 'object' && 'claim' in by);

/** One subscriber commonly holds a whole /64; a limit by single addresses would be none. */
const IPV4_PREFIX_BITS = 32;
const IPV6_PREFIX_BITS = 64;

/** Values are often the caller's choice: only so much of a long one is looked at, and its length. */
const MAX_KEY_LENGTH = 256;

/** A key of one kind, or undefined where the request has none. */
type OwnKey = (c: PolicyContext) => string | undefined;

/**
 * Left out: the consumer where one is known, else the address. `path` is where it stands in the config. Who cannot be
 * told apart as asked is counted as `key-undecided`. Throws ConfigError for an expression that is wrong.
 */
export function callerKeys(
  by: By | undefined,
  deps: Pick<CompileDeps, 'attachment'>,
  path = 'by',
): CallerKeys {
  const { attachment } = deps;
  const whole =
    (key: OwnKey): CallerKeys =>
    (c) => ({ scope: attachment, key: key(c) ?? '', unproven: by !== 'route' });
  if (by === 'address') return whole(addressKey);
  if (by === 'route') return whole((c) => c.route.name);
  if (typeof by === 'object' && 'address' in by) return whole(networkOf(by.address));
  const own = ownKey(by, path);
  const unproven = isUnproven(by);
  const fallback = `${attachment} by address`;
  return (c) => {
    const key = own(c);
    if (key !== undefined && key !== '') return { scope: attachment, key: bounded(key), unproven };
    if (by !== undefined) c.deps.notices.count(attachment, 'key-undecided');
    return { scope: fallback, key: addressKey(c), unproven: true };
  };
}

/** Whether anybody may be such a key. What an issuer says in a token is proved. */
export const isUnproven = (by: By | undefined): boolean =>
  by === 'address' || (typeof by === 'object' && !('claim' in by));

function ownKey(
  by: Exclude<By, 'address' | 'route' | { address: unknown }> | undefined,
  path: string,
): OwnKey {
  if (by === undefined || by === 'consumer') return (c) => c.facts.identity?.consumer;
  if (by === 'credential') return credentialKey;
  if (by === 'group') return groupKey;
  if ('claim' in by) return (c) => claimKey(c, by.claim);
  if ('expression' in by) return expressionKey(by.expression, `${path}.expression`);
  const name = by.header.toLowerCase();
  return (c) => headerKey(c, name);
}

const networkOf =
  ({ ipv4 = IPV4_PREFIX_BITS, ipv6 = IPV6_PREFIX_BITS }: { ipv4?: number; ipv6?: number }): OwnKey =>
  (c) =>
    networkKey(c.request.client, ipv4, ipv6);

const addressKey = (c: PolicyContext): string =>
  networkKey(c.request.client, IPV4_PREFIX_BITS, IPV6_PREFIX_BITS);

/** An identity without a credential's id (mTLS by name, say) is counted as its consumer. */
function credentialKey(c: PolicyContext): string | undefined {
  const { identity } = c.facts;
  if (identity === undefined) return undefined;
  const { credential, consumer } = identity;
  return credential === undefined ? `consumer ${consumer}` : `${credential.kind} ${credential.id}`;
}

/**
 * Of several groups the first by name, whatever order they came in: a token may list them in another order each time, and
 * would be counted with another group each time.
 */
function groupKey(c: PolicyContext): string | undefined {
  const groups = c.facts.identity?.groups;
  if (groups === undefined || groups.length < 2) return groups?.[0];
  let first = groups[0];
  for (const group of groups) if (group < first) first = group;
  return first;
}

/** A claim that is neither a text nor a number names nobody. */
function claimKey(c: PolicyContext, name: string): string | undefined {
  const claims = c.facts.identity?.claims;
  if (claims === undefined || !Object.hasOwn(claims, name)) return undefined;
  const value = claims[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

/** A header sent twice names nobody: the upstream may believe either value. */
function headerKey(c: PolicyContext, name: string): string | undefined {
  const { headers } = c.request;
  return headers.count(name) > 1 ? undefined : headers.get(name);
}

function expressionKey(source: string, path: string): OwnKey {
  const run = expressionAt(path, () => compileTextExpression(source));
  // A text for all is one count for all, and an empty one would count everybody by address: neither is what was meant.
  if (isConstantExpression(source))
    throw ConfigError.at(path, 'is the same for every request', 'say by: route to count all together');
  return (c) => {
    try {
      return run(c);
    } catch {
      return undefined;
    }
  };
}

function bounded(value: string): string {
  if (value.length <= MAX_KEY_LENGTH) return value;
  const half = MAX_KEY_LENGTH / 2;
  return `${value.length} ${value.slice(0, half)} ${value.slice(-half)}`;
}
