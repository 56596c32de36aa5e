import type { CompileDeps, Held } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { PUBLIC_ALGORITHMS } from '../../identity/index.ts';
import { formatDuration, parseDuration } from '../../lib/duration.ts';
import {
  isEndpoint,
  isIssuerUrl,
  KeySet,
  type KeySource,
  type RemoteKeys,
  remoteKeysRequest,
  staticKeys,
  type VerificationKey,
} from '../../tokens/index.ts';
import type { IssuerConfig, JwtConfig } from './schema.ts';
import { atPath, readKey, readKeyFile } from './static-keys.ts';

const [MINUTE_MS, DAY_MS] = [60_000, 86_400_000];

/** What is trusted of one issuer. */
export interface Trust {
  /** What `iss` must be; undefined for whatever it is. */
  readonly issuer: string | undefined;
  readonly keys: KeySource;
  readonly algorithms: ReadonlySet<string>;
}

/** Where keys will come from, once the whole config is known to be sound. */
type Planned = Omit<Trust, 'keys'> & {
  readonly keys: KeySet | { readonly issuer: string; readonly url: string | undefined };
};

/** The issuers of a policy, and what it holds of them. */
export class Trusts {
  readonly #all: readonly Trust[];
  readonly #held: readonly Held<RemoteKeys>[];

  constructor(all: readonly Trust[], held: readonly Held<RemoteKeys>[]) {
    this.#all = all;
    this.#held = held;
  }

  /** The issuer a token says it is of, which its signature has still to show. */
  find(iss: unknown): Trust | undefined {
    return this.#all.find(({ issuer }) => issuer === undefined || issuer === iss);
  }

  release(): void {
    for (const held of this.#held) held.release();
  }
}

/** Throws ConfigError with paths in the config. Nothing is fetched for a config that is refused. */
export function compileTrusts(config: JwtConfig, deps: CompileDeps): Trusts {
  const { cache = {}, ca } = config;
  const planned = issuersOf(config).map(({ issuer, path }) => plan(issuer, path, deps));
  checkDistinct(planned);
  const rules = {
    ca: ca === undefined ? undefined : atPath('ca', () => deps.files.read(ca.slice('file:'.length))),
    refreshMs: duration(cache.refresh ?? '15m', 'cache.refresh', DAY_MS),
    staleForMs: duration(cache.staleFor ?? '24h', 'cache.staleFor', 30 * DAY_MS),
    cooldownMs: duration(cache.cooldown ?? '30s', 'cache.cooldown', DAY_MS),
    timeoutMs: duration(cache.timeout ?? '5s', 'cache.timeout', MINUTE_MS),
  };
  // Else good keys would be too old before they are fetched again.
  if (rules.staleForMs < rules.refreshMs)
    throw ConfigError.at(
      'cache.staleFor',
      'is shorter than cache.refresh, so that keys would be too old in between',
    );
  const held: Held<RemoteKeys>[] = [];
  const trusts = planned.map(({ keys, ...rest }): Trust => {
    if (keys instanceof KeySet) return { ...rest, keys: staticKeys(keys) };
    const use = deps.resources.acquire(remoteKeysRequest({ ...rules, ...keys }));
    held.push(use);
    return { ...rest, keys: use.resource };
  });
  return new Trusts(trusts, held);
}

/** A duration that is not nothing (a cache of 0s would ask the issuer without a pause) and not beyond `maxMs`. */
export function duration(text: string, path: string, maxMs: number): number {
  const ms = parseDuration(text) ?? 0;
  if (ms > 0 && ms <= maxMs) return ms;
  throw ConfigError.at(path, `must be longer than nothing, and at most ${formatDuration(maxMs)}`);
}

interface Written {
  readonly issuer: IssuerConfig;
  /** With its dot, or ''. */
  readonly path: string;
}

function issuersOf({ issuer, issuers, jwks, keys, algorithms }: JwtConfig): readonly Written[] {
  if (issuer !== undefined && issuers !== undefined)
    throw ConfigError.at('issuers', 'there is an issuer beside the list of issuers', 'move it into the list');
  if (issuers === undefined) {
    if (issuer === undefined) throw ConfigError.at('issuer', 'says nobody whose tokens are taken');
    const more = { ...(jwks && { jwks }), ...(keys && { keys }), ...(algorithms && { algorithms }) };
    return [{ issuer: { issuer, ...more }, path: '' }];
  }
  const misplaced = Object.entries({ jwks, keys, algorithms }).find(([, value]) => value !== undefined)?.[0];
  if (misplaced !== undefined)
    throw ConfigError.at(misplaced, 'belongs to one of the issuers', 'move it into the list');
  return issuers.map((one, i) => ({ issuer: one, path: `issuers[${i}].` }));
}

function plan(config: IssuerConfig, path: string, deps: CompileDeps): Planned {
  const { issuer, jwks = 'auto', keys } = config;
  if (keys !== undefined && config.jwks !== undefined)
    throw ConfigError.at(`${path}jwks`, 'is given beside keys, and only one of them can hold', 'remove one');
  if (keys !== undefined) {
    const read = keys.flatMap((key, i) => readKey(key, `${path}keys[${i}]`, deps));
    return planStatic(config, path, read);
  }
  if (jwks.startsWith('file:'))
    return planStatic(config, path, readKeyFile(jwks.slice('file:'.length), `${path}jwks`, deps));
  if (jwks === 'auto' && !isIssuerUrl(issuer))
    throw ConfigError.at(
      `${path}issuer`,
      'is no URL whose metadata could be read',
      'give its keys or its jwks',
    );
  if (issuer === 'any')
    throw ConfigError.at(
      `${path}issuer`,
      'any issuer is only taken with keys given by hand',
      'name the issuer',
    );
  if (jwks !== 'auto' && !isEndpoint(jwks, issuer))
    throw ConfigError.at(`${path}jwks`, 'is no https URL, as an issuer that is not http itself needs');
  const algorithms = allowed(config, path, PUBLIC_ALGORITHMS, 'public keys');
  return { issuer, algorithms, keys: { issuer, url: jwks === 'auto' ? undefined : jwks } };
}

function planStatic(config: IssuerConfig, path: string, keys: readonly VerificationKey[]): Planned {
  const secrets = keys.filter(({ key }) => key.type === 'secret');
  // An issuer that signs with a private key never means a secret: what verifies its tokens is known to everybody.
  if (secrets.length > 0 && secrets.length < keys.length)
    throw ConfigError.at(
      `${path}keys`,
      'has a secret beside public keys',
      'list them as two issuers, or choose one',
    );
  const algorithms =
    secrets.length > 0
      ? allowed(config, path, ['HS256', 'HS384', 'HS512'], 'a secret', ['HS256'])
      : allowed(config, path, PUBLIC_ALGORITHMS, 'public keys');
  const usable = keys.flatMap((key) => narrowed(key, algorithms));
  const idle = [...algorithms].find((one) => !usable.some((key) => key.algorithms.includes(one)));
  if (usable.length === 0 || (config.algorithms !== undefined && idle !== undefined))
    throw ConfigError.at(`${path}algorithms`, `no key is fit for ${idle ?? 'any of them'}`);
  const set = new KeySet(usable);
  return { issuer: config.issuer === 'any' ? undefined : config.issuer, algorithms, keys: set };
}

function narrowed(key: VerificationKey, allowedOnes: ReadonlySet<string>): readonly VerificationKey[] {
  const algorithms = key.algorithms.filter((one) => allowedOnes.has(one));
  return algorithms.length === 0 ? [] : [{ ...key, algorithms }];
}

function allowed(
  { algorithms }: IssuerConfig,
  path: string,
  possible: readonly string[],
  keys: string,
  fallback: readonly string[] = possible,
): ReadonlySet<string> {
  const wrong = algorithms?.find((one) => !possible.includes(one));
  if (wrong !== undefined) throw ConfigError.at(`${path}algorithms`, `${wrong} is not for ${keys}`);
  return new Set(algorithms ?? fallback);
}

/** The first of two issuers of one name would shadow the other. */
function checkDistinct(planned: readonly Planned[]): void {
  for (const [i, { issuer }] of planned.entries()) {
    const first = planned.findIndex((other) => other.issuer === undefined || other.issuer === issuer);
    if (first < i) throw ConfigError.at(`issuers[${i}].issuer`, 'is already taken by an issuer before it');
  }
}
