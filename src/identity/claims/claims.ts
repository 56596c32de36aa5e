import type { CompileDeps, Consumer, Identity } from '../../contract/index.ts';
import { type Static, Type } from '../../lib/schema.ts';
import { CLAIM_MESSAGE, CLAIM_PATTERN, type ClaimPath, claimAt, parseClaimPath } from './claim-path.ts';

const claim = Type.String({ pattern: CLAIM_PATTERN, patternErrorMessage: CLAIM_MESSAGE });

const claims = (description: string, fallback: readonly string[]) =>
  Type.Optional(
    Type.Union([claim, Type.Array(claim, { minItems: 1, maxItems: 10 })], { description, default: fallback }),
  );

/** How the claims of somebody else's token become an identity. The same option in every policy that reads tokens. */
export const claimMappingSchema = Type.Object(
  {
    consumer: claims('Claim that names the consumer; of several, the first that is there.', [
      'sub',
      'client_id',
    ]),
    prefix: Type.Optional(
      Type.String({
        description:
          'Put before the name, so that nobody can be called like a declared consumer who is another.',
        pattern: '^[ -~]{1,64}$',
        patternErrorMessage: 'must be at most 64 printable ASCII characters',
      }),
    ),
    groups: claims('Claim that lists the groups; those of a declared consumer are added.', ['groups']),
    scopes: claims('Claim that lists the scopes, as a list or as one text with spaces.', ['scope', 'scp']),
    declared: Type.Optional(
      Type.Boolean({
        description: 'Whether only consumers that are declared or kept live are let on.',
        default: false,
      }),
    ),
  },
  { additionalProperties: false, description: 'How claims name the caller.' },
);

export type ClaimMappingConfig = Static<typeof claimMappingSchema>;

/** What a caller proved to be, as any token tells it. */
export type Claims = Readonly<Record<string, unknown>>;

/** What is said of a token beside its claims. */
export interface TokenFacts {
  /** Kind of the credential in records: the policy's name. */
  readonly kind: string;
  /** Who issued it, where the claims have no `iss`. */
  readonly issuer?: string | undefined;
  /** Public id by which it is recorded and revoked in place of its `jti`: that of a session, say. */
  readonly id?: string | undefined;
}

type Callers = Pick<CompileDeps, 'consumers' | 'revocations'>;

/** What names one of many may be made of: it goes to records, headers and keys of counters. */
const NAME = /^[^\p{Cc}\p{Cs}]{1,256}$/u;
/** `scope-token` (RFC 6749 §3.3). */
const SCOPE = /^[!#-[\]-~]{1,256}$/;
/** More would be work with every rule that looks through them. */
const MAX_NAMES = 1000;
const NOTHING: readonly string[] = Object.freeze([]);

/** Reads callers from claims. */
export class ClaimMapping {
  readonly #consumer: readonly ClaimPath[];
  readonly #groups: readonly ClaimPath[];
  readonly #scopes: readonly ClaimPath[];
  readonly #prefix: string;
  readonly #isDeclared: boolean;
  readonly #callers: Callers;

  constructor(config: ClaimMappingConfig, { consumers, revocations }: Callers) {
    this.#consumer = pathsOf(config.consumer ?? ['sub', 'client_id']);
    this.#groups = pathsOf(config.groups ?? 'groups');
    this.#scopes = pathsOf(config.scopes ?? ['scope', 'scp']);
    this.#prefix = config.prefix ?? '';
    this.#isDeclared = config.declared ?? false;
    // Taken out now: who has not asked for the consumers while compiling is kept when they change.
    this.#callers = { consumers, revocations };
  }

  /** Whom the claims name; a text says why they name nobody. Done once for a token that is remembered. */
  caller(claims: Claims, token: TokenFacts): TokenCaller | string {
    const name = first(claims, this.#consumer);
    if (!isName(name)) return 'no claim names the consumer';
    const groups = listOf(first(claims, this.#groups), NAME);
    if (groups === undefined) return 'the claim for groups is no list of names';
    const scopes = scopesOf(first(claims, this.#scopes));
    if (scopes === undefined) return 'the claim for scopes is no list of scopes';
    const consumer = `${this.#prefix}${name}`;
    return new TokenCaller({ consumer, groups, scopes, claims }, token, this.#isDeclared, this.#callers);
  }
}

/** What a token says; never changes. */
type Told = Pick<Identity, 'consumer' | 'groups' | 'scopes' | 'claims'>;

/** A caller as a token names it. What may change under it (revocations, consumers) is looked at with every use. */
export class TokenCaller {
  readonly #told: Told;
  readonly #issuer: string;
  /** Its given id, or `jti`; '' for none. */
  readonly #tokenId: string;
  readonly #credential: NonNullable<Identity['credential']>;
  readonly #isDeclared: boolean;
  readonly #callers: Callers;
  #consumer: Consumer | undefined = undefined;
  #identity: Identity | undefined = undefined;

  constructor(
    told: Told,
    { kind, issuer = '', id: given }: TokenFacts,
    isDeclared: boolean,
    callers: Callers,
  ) {
    const { iss, jti, client_id, azp } = told.claims;
    this.#told = told;
    this.#issuer = typeof iss === 'string' ? iss : issuer;
    this.#tokenId = given ?? (isName(jti) ? jti : '');
    const id = [given, jti, client_id, azp].find(isName) ?? told.consumer;
    this.#credential = Object.freeze({ id, kind });
    this.#isDeclared = isDeclared;
    this.#callers = callers;
  }

  get scopes(): readonly string[] {
    return this.#told.scopes;
  }

  /** Who calls, as of now; a text says why nobody does. Cheap where nothing has changed. */
  identity(): Identity | string {
    const { consumers, revocations } = this.#callers;
    const { consumer: name } = this.#told;
    if (this.#tokenId !== '' && revocations.hasToken(this.#issuer, this.#tokenId))
      return 'the token is revoked';
    const consumer = consumers.consumer(name);
    if (consumer === 'disabled' || revocations.hasConsumer(name)) return 'the consumer is disabled';
    if (consumer === undefined && this.#isDeclared) return 'the token names no declared consumer';
    if (this.#identity !== undefined && consumer === this.#consumer) return this.#identity;
    this.#consumer = consumer;
    this.#identity = this.#identityOf(consumer);
    return this.#identity;
  }

  #identityOf(consumer: Consumer | undefined): Identity {
    const credential = this.#credential;
    if (consumer === undefined) return Object.freeze({ ...this.#told, credential });
    const groups = Object.freeze([...new Set([...this.#told.groups, ...consumer.groups])]);
    const { id } = consumer;
    return Object.freeze({
      ...this.#told,
      ...(id === undefined ? {} : { consumerId: id }),
      groups,
      credential,
    });
  }
}

function pathsOf(written: string | readonly string[]): readonly ClaimPath[] {
  return (typeof written === 'string' ? [written] : written).map(parseClaimPath);
}

function first(claims: Claims, paths: readonly ClaimPath[]): unknown {
  for (const path of paths) {
    const value = claimAt(claims, path);
    if (value !== undefined) return value;
  }
  return undefined;
}

const isName = (value: unknown): value is string => typeof value === 'string' && NAME.test(value);

function scopesOf(value: unknown): readonly string[] | undefined {
  if (typeof value !== 'string') return listOf(value, SCOPE);
  return listOf(
    value.split(' ').filter((scope) => scope !== ''),
    SCOPE,
  );
}

/** A list that has anything else in it is refused: a rule that denies a group must not miss it. */
function listOf(value: unknown, form: RegExp): readonly string[] | undefined {
  if (value === undefined) return NOTHING;
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length > MAX_NAMES) return undefined;
  const names = values.filter((one) => typeof one === 'string' && form.test(one));
  return names.length === values.length ? Object.freeze(names.map(String)) : undefined;
}
