import type { CompileDeps } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { ClaimMapping, seenOnce } from '../../identity/index.ts';
import { parseByteSize } from '../../lib/byte-size.ts';
import { parseDuration } from '../../lib/duration.ts';
import {
  type BearerChallenge,
  BearerRefusals,
  type ClaimRules,
  loadProofTools,
  loadSignatureCheck,
  MAX_TOKEN_LENGTH,
  mediaType,
  ProofCheck,
  ProofNonces,
  type ProofRules,
  type ProofTools,
  type SignatureCheck,
  TokenPlaces,
} from '../../tokens/index.ts';
import { Possession, type ProofMode } from './possession.ts';
import type { JwtConfig, ProofConfig } from './schema.ts';
import { atPath } from './static-keys.ts';
import { compileTrusts, duration, type Trusts } from './trust.ts';

/** What a config means, ready to judge by. */
export interface JwtRules {
  readonly places: TokenPlaces;
  readonly trusts: Trusts;
  readonly verify: SignatureCheck;
  /** Lower case, without `application/`; undefined stands for a token without one. */
  readonly types: ReadonlySet<string | undefined>;
  readonly claims: ClaimRules;
  readonly mapping: ClaimMapping;
  readonly possession: Possession;
  readonly scopes: readonly string[];
  readonly refusals: BearerRefusals;
  readonly maxLength: number;
  /** How many verified tokens are remembered. */
  readonly remember: number;
  readonly hides: boolean;
  /** Lets go what is held. */
  release(): void;
}

const MAX_TOLERANCE_MS = 600_000;
const MAX_AGE_MS = 366 * 86_400_000;
/** Every proof is remembered for so long. */
const MAX_PROOF_MS = 3_600_000;
const MIN_NONCE_SECRET = 32;
const PROOF_ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256'];
const ABSENT = 'none';

/** Throws ConfigError with paths in the config. */
export async function compileJwt(config: JwtConfig, deps: CompileDeps): Promise<JwtRules> {
  const claims = claimRules(config);
  const maxLength = parseByteSize(config.maxLength ?? '8kB') ?? 0;
  if (maxLength === 0 || maxLength > MAX_TOKEN_LENGTH)
    throw ConfigError.at('maxLength', `must be from 1B to ${MAX_TOKEN_LENGTH}B`);
  const proofs = proofConfig(config);
  const { header, cookie, query, mtls: certificate = 'optional' } = config;
  if (proofs.mode === 'required' && (header ?? cookie ?? query) !== undefined)
    throw ConfigError.at(
      'dpop',
      'tokens with proofs are only in Authorization',
      'take header, cookie and query out',
    );
  const judged = proofRules(config, proofs, deps);
  const verify = await loadSignatureCheck();
  const tools = proofs.mode === 'off' ? undefined : await loadProofTools(verify);
  const refusals = new BearerRefusals(...challenges(config, proofs));
  const schemes = { off: ['bearer'], optional: ['bearer', 'dpop'], required: ['dpop'] }[proofs.mode];
  // Last: what is held from here on is let go only by the policy.
  const trusts = compileTrusts(config, deps);
  const { check, release } = proofCheck(judged, tools, deps);
  const { mode } = proofs;
  return {
    places: new TokenPlaces(schemes, { header: header?.toLowerCase(), cookie, query }),
    trusts,
    verify,
    types: typesOf(config.types ?? ['at+jwt', 'JWT', ABSENT]),
    claims,
    mapping: new ClaimMapping(config.claims ?? {}, deps),
    possession: new Possession({ mode, check, nonces: judged.nonces, certificate, refusals }),
    scopes: config.scopes ?? [],
    refusals,
    maxLength,
    remember: config.remember ?? 10_000,
    hides: config.hide ?? false,
    release() {
      trusts.release();
      release();
    },
  };
}

function claimRules(config: JwtConfig): ClaimRules {
  const { audience, clockTolerance = '30s', expiry = 'required', maxAge, requiredClaims = [] } = config;
  const toleranceMs = parseDuration(clockTolerance) ?? 0;
  if (toleranceMs > MAX_TOLERANCE_MS) throw ConfigError.at('clockTolerance', 'must be at most 10m');
  return {
    audiences: audience === 'any' ? undefined : typeof audience === 'string' ? [audience] : audience,
    toleranceMs,
    expiry,
    maxAgeMs: maxAge === undefined ? undefined : duration(maxAge, 'maxAge', MAX_AGE_MS),
    required: requiredClaims,
  };
}

const typesOf = (types: readonly string[]): ReadonlySet<string | undefined> =>
  new Set(types.map((type) => (type === ABSENT ? undefined : mediaType(type))));

type Proofs = Omit<ProofConfig, 'mode'> & { readonly mode: ProofMode };

function proofConfig({ dpop = 'off' }: JwtConfig): Proofs {
  return typeof dpop === 'string' ? { mode: dpop } : { ...dpop, mode: dpop.mode ?? 'required' };
}

function compileNonces(proofs: Proofs, deps: CompileDeps): ProofNonces | undefined {
  if (proofs.nonceSecret === undefined) return undefined;
  const { nonceSecret } = proofs;
  const secret = atPath('dpop.nonceSecret', () => deps.secrets.resolve(nonceSecret));
  if (secret.length < MIN_NONCE_SECRET)
    throw ConfigError.at('dpop.nonceSecret', `the secret is shorter than ${MIN_NONCE_SECRET} characters`);
  return new ProofNonces(secret, duration(proofs.nonceLifetime ?? '5m', 'dpop.nonceLifetime', MAX_PROOF_MS));
}

function challenges(config: JwtConfig, proofs: Proofs): readonly BearerChallenge[] {
  const { realm = 'api', resourceMetadata, scopes = [] } = config;
  const scope = scopes.length === 0 ? {} : { scope: scopes.join(' ') };
  const bearer = { realm, resourceMetadata, parameters: scope };
  const algs = (proofs.algorithms ?? PROOF_ALGORITHMS).join(' ');
  const dpop = { scheme: 'DPoP', realm, resourceMetadata, parameters: { ...scope, algs } };
  return { off: [bearer], optional: [bearer, dpop], required: [dpop] }[proofs.mode];
}

function proofRules({ clockTolerance = '30s' }: JwtConfig, proofs: Proofs, deps: CompileDeps): ProofRules {
  return {
    algorithms: proofs.algorithms ?? PROOF_ALGORITHMS,
    maxAgeMs: duration(proofs.maxAge ?? '60s', 'dpop.maxAge', MAX_PROOF_MS),
    toleranceMs: parseDuration(clockTolerance) ?? 0,
    publicUrl: proofs.publicUrl,
    nonces: compileNonces(proofs, deps),
  };
}

/** Undefined without tools, where proofs are not taken. */
function proofCheck(
  rules: ProofRules,
  tools: ProofTools | undefined,
  deps: CompileDeps,
): { readonly check: ProofCheck | undefined; readonly release: () => void } {
  if (tools === undefined) return { check: undefined, release: () => {} };
  const { resource, release } = deps.resources.acquire(seenOnce);
  return { check: new ProofCheck(rules, tools, resource), release };
}
