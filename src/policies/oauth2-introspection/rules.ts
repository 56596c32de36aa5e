import { hash } from 'node:crypto';
import type { CompileDeps, Held } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { ClaimMapping } from '../../identity/index.ts';
import { parseDuration } from '../../lib/duration.ts';
import { BearerRefusals, type ClaimRules, compileOAuthClient, TokenPlaces } from '../../tokens/index.ts';
import { type Answers, answersRequest } from './answers.ts';
import type { IntrospectionConfig } from './schema.ts';

/** What a config means, ready to judge by. */
export interface IntrospectionRules {
  readonly places: TokenPlaces;
  readonly answers: Held<Answers>;
  /** What `iss` must say where it is there; undefined for anything. */
  readonly issuer: string | undefined;
  /** Lower case; undefined stands for an answer without one. */
  readonly types: ReadonlySet<string | undefined>;
  readonly claims: ClaimRules;
  readonly mapping: ClaimMapping;
  readonly certificate: 'required' | 'optional';
  readonly scopes: readonly string[];
  readonly refusals: BearerRefusals;
  readonly hides: boolean;
}

const MAX_TTL_MS = 3_600_000;
const MAX_STALE_MS = 86_400_000;
const MAX_TOLERANCE_MS = 600_000;

/** Throws ConfigError with paths in the config. */
export function compileIntrospection(config: IntrospectionConfig, deps: CompileDeps): IntrospectionRules {
  const { header, cookie, query, scopes = [], realm = 'api', resourceMetadata, types = ['Bearer'] } = config;
  const parameters: Record<string, string> = scopes.length === 0 ? {} : { scope: scopes.join(' ') };
  return {
    places: new TokenPlaces(['bearer'], { header: header?.toLowerCase(), cookie, query }),
    issuer: config.issuer,
    types: new Set(types.map((type) => (type === 'none' ? undefined : type.toLowerCase()))),
    claims: claimRules(config),
    mapping: new ClaimMapping(config.claims ?? {}, deps),
    certificate: config.mtls ?? 'optional',
    scopes,
    refusals: new BearerRefusals({ realm, resourceMetadata, parameters }),
    hides: config.hide ?? false,
    // Last: what is held from here on is let go only by the policy.
    answers: holdAnswers(config, deps),
  };
}

function claimRules({ audience, clockTolerance = '30s' }: IntrospectionConfig): ClaimRules {
  return {
    audiences: audience === 'any' ? undefined : typeof audience === 'string' ? [audience] : audience,
    toleranceMs: duration(clockTolerance, 'clockTolerance', MAX_TOLERANCE_MS, '10m'),
    // That a token without an end is still good is what the server was asked.
    expiry: 'optional',
    maxAgeMs: undefined,
    required: [],
  };
}

function holdAnswers(config: IntrospectionConfig, deps: CompileDeps): Held<Answers> {
  const { cache = {}, stale = '0s', endpoint: url } = config;
  const rules = {
    ...compileOAuthClient(config, { option: 'endpoint', url }, '', deps),
    ttlMs: duration(cache.ttl ?? '30s', 'cache.ttl', MAX_TTL_MS, '1h'),
    staleMs: duration(stale, 'stale', MAX_STALE_MS, '24h'),
    maxEntries: cache.maxEntries ?? 10_000,
  };
  // The secret is in it as a hash of everything: no key of a resource gives one away.
  const fingerprint = hash('sha256', JSON.stringify(rules), 'base64url');
  return deps.resources.acquire(answersRequest(rules, fingerprint));
}

function duration(text: string, path: string, maxMs: number, max: string): number {
  const ms = parseDuration(text) ?? 0;
  if (ms > maxMs) throw ConfigError.at(path, `must be at most ${max}`);
  return ms;
}
