import { createPrivateKey, createPublicKey, hash, type KeyObject } from 'node:crypto';
import type { CompileDeps, Identity } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { claimAt, parseClaimPath } from '../../identity/index.ts';
import { parseDuration } from '../../lib/duration.ts';
import { atOption } from '../../lib/option-path.ts';
import { RecentMap } from '../../lib/recent-map.ts';
import { MAX_TOKEN_LENGTH, suitableAlgorithms } from '../../tokens/index.ts';
import type { SignedTokenConfig } from './schema.ts';

/** What a claim says of a caller; undefined for nothing. */
type Reader = (identity: Identity) => unknown;

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['consumer', ({ consumer }) => consumer],
  ['consumerId', ({ consumerId }) => consumerId],
  ['groups', ({ groups }) => groups],
  ['scopes', ({ scopes }) => scopes],
  ['credential', ({ credential }) => credential?.id],
  ['credentialKind', ({ credential }) => credential?.kind],
]);

/** What the gateway itself says of every token. */
const OWN_CLAIMS: readonly string[] = ['iss', 'aud', 'exp', 'nbf', 'iat'];
/** Of its life a token is used so much: it must be good for a while after it arrives. */
const USED_SHARE = 0.8;
const MIN_LIFETIME_MS = 10_000;
const MAX_LIFETIME_MS = 86_400_000;
/** Tokens kept per attachment and worker. */
const MAX_TOKENS = 10_000;

interface Signed {
  readonly token: string;
  /** Milliseconds since the epoch: from its issue to when another is signed. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Tokens that say who calls, signed by the gateway: one for all requests of which it says the same, for most of its life. */
export class CallerTokens {
  readonly #key: KeyObject;
  readonly #header: { readonly alg: string; readonly typ: 'JWT'; readonly kid?: string };
  /** A text, or how the caller says it. */
  readonly #sources: readonly (readonly [name: string, source: string | Reader])[];
  readonly #fixed: Readonly<Record<string, unknown>>;
  readonly #lifetimeMs: number;
  readonly #signed = new RecentMap<string, Signed>(MAX_TOKENS);
  readonly #signing = new Map<string, Promise<string>>();

  /** Throws ConfigError with paths below `jwt`. */
  constructor(config: SignedTokenConfig, deps: Pick<CompileDeps, 'secrets'>) {
    const { algorithm, keyId, issuer, audience, lifetime = '5m', claims = {} } = config;
    this.#key = readKey(config, deps);
    this.#header = { alg: algorithm, typ: 'JWT', ...(keyId === undefined ? {} : { kid: keyId }) };
    this.#fixed = { iss: issuer, aud: audience };
    this.#lifetimeMs = parseDuration(lifetime) ?? 0;
    if (this.#lifetimeMs < MIN_LIFETIME_MS || this.#lifetimeMs > MAX_LIFETIME_MS)
      throw ConfigError.at('jwt.lifetime', 'must be from 10s to 24h');
    for (const name of Object.keys(claims))
      if (OWN_CLAIMS.includes(name))
        throw ConfigError.at(
          `jwt.claims.${name}`,
          'is the gateway’s own to say',
          'see issuer, audience and lifetime',
        );
    const sources = Object.entries({ sub: 'consumer', ...claims });
    this.#sources = sources.map(([name, source]) => [name, sourceOf(source)]);
  }

  /**
   * Synchronous where the token is remembered; undefined where nobody is known and the token needs somebody. Rejects
   * where it cannot be made, or would fit no header.
   */
  tokenFor(identity: Identity | undefined, now: number): string | Promise<string> | undefined {
    const claims: Record<string, unknown> = {};
    for (const [name, source] of this.#sources) {
      const value = typeof source === 'string' ? source : identity && source(identity);
      if (value !== undefined) claims[name] = value;
    }
    // A token without its subject would be one for whoever comes first.
    if (typeof claims.sub !== 'string' || claims.sub === '') return undefined;
    const key = hash('sha256', JSON.stringify(claims), 'base64url');
    const known = this.#signed.get(key);
    if (known !== undefined && known.fromMs <= now && now < known.untilMs) return known.token;
    const under = this.#signing.get(key);
    if (under !== undefined) return under;
    const signing = this.#sign(claims, key, now).finally(() => this.#signing.delete(key));
    this.#signing.set(key, signing);
    return signing;
  }

  async #sign(claims: Readonly<Record<string, unknown>>, key: string, nowMs: number): Promise<string> {
    const { SignJWT } = await import('jose');
    // Whole seconds: the token is issued in the second that has begun.
    const issuedAt = Math.floor(nowMs / 1000);
    const exp = issuedAt + Math.floor(this.#lifetimeMs / 1000);
    const payload = { ...claims, ...this.#fixed, iat: issuedAt, exp };
    const token = await new SignJWT(payload).setProtectedHeader(this.#header).sign(this.#key);
    if (token.length > MAX_TOKEN_LENGTH) throw new RangeError('the token is too long for a header');
    const untilMs = issuedAt * 1000 + this.#lifetimeMs * USED_SHARE;
    this.#signed.set(key, { token, fromMs: issuedAt * 1000, untilMs });
    return token;
  }
}

function sourceOf(source: string): string | Reader {
  const known = READERS.get(source);
  if (known !== undefined) return known;
  if (source.startsWith('text:')) return source.slice('text:'.length);
  const path = parseClaimPath(source.slice('claim:'.length));
  return ({ claims }) => claimAt(claims, path);
}

function readKey(
  { key: reference, algorithm }: SignedTokenConfig,
  deps: Pick<CompileDeps, 'secrets'>,
): KeyObject {
  const pem = atOption('jwt.key', () => deps.secrets.resolve(reference));
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // The library's own words may quote what it was given.
    throw ConfigError.at(
      'jwt.key',
      'is no private key in PEM',
      'make one with: openssl genpkey -algorithm ed25519',
    );
  }
  const suitable = suitableAlgorithms(createPublicKey(key));
  if (typeof suitable === 'string' || !suitable.includes(algorithm)) {
    const others =
      typeof suitable === 'string'
        ? 'it is weak, or of a kind for no signature here'
        : `it is for ${suitable.join(', ')}`;
    throw ConfigError.at('jwt.algorithm', `the key is not for ${algorithm}: ${others}`);
  }
  return key;
}
