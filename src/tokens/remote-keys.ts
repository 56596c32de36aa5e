import type { Resource, ResourceRequest, ResourceWorld } from '../contract/index.ts';
import { NetworkError } from '../errors.ts';
import { discoverIssuer, endpointOf, fetchJson, type IssuerAccess } from './issuer-metadata.ts';
import { KeySet, type KeySource, type VerificationKey } from './key-set.ts';
import { type KeyFault, publicKeyOf } from './public-jwk.ts';

/** Whose keys are kept, and how fresh. Times in milliseconds. */
export interface RemoteKeysRules extends IssuerAccess {
  readonly issuer: string;
  /** Where the key set is; undefined for where the issuer's metadata says. */
  readonly url: string | undefined;
  /** They are fetched again so long after they were. */
  readonly refreshMs: number;
  /** Between two fetches for tokens that name an unknown key. */
  readonly cooldownMs: number;
  /** So long after the last good fetch they still serve, if nothing newer can be had. */
  readonly staleForMs: number;
}

const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 30_000;
/** More keys than any issuer rotates through. */
const MAX_KEYS = 100;

/** Which resource keeps those keys: shared by all policies of a worker with equal rules. */
export function remoteKeysRequest(rules: RemoteKeysRules): ResourceRequest<RemoteKeys> {
  return {
    key: `issuer-keys ${JSON.stringify(rules)}`,
    is: (resource): resource is RemoteKeys => resource instanceof RemoteKeys,
    open: (world) => new RemoteKeys(rules, world),
  };
}

/**
 * The public keys of an issuer, fetched ahead and kept fresh on a schedule of their own, so that no request waits for
 * them but the first. What cannot be taken (an outage, HTML, an oversized answer, a set without a usable key) leaves
 * the keys there were; failures are tried again after growing, scattered pauses.
 */
export class RemoteKeys implements Resource, KeySource {
  readonly #rules: RemoteKeysRules;
  readonly #world: ResourceWorld;
  #keys: KeySet | undefined = undefined;
  #fetchedAtMs = 0;
  #renewedAtMs = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined = undefined;
  #failures = 0;
  #nextAtMs = 0;
  #lastProblem = '';
  #lastIgnored = '';
  #isClosed = false;
  #cancel: () => void = () => {};

  constructor(rules: RemoteKeysRules, world: ResourceWorld) {
    this.#rules = rules;
    this.#world = world;
    void this.#fetch();
  }

  /** The keys as of now; undefined when there never were any, or none could be fetched for too long. */
  current(nowMs: number): KeySet | undefined {
    return nowMs - this.#fetchedAtMs <= this.#rules.staleForMs ? this.#keys : undefined;
  }

  /** A fetch that is under way, or undefined. Never rejects. */
  get pending(): Promise<void> | undefined {
    return this.#fetching;
  }

  /**
   * Fetches anew for a token that names an unknown key: at most once in a cooldown, however many such tokens there
   * are, since anybody can make one up. Undefined when it is too soon. Never rejects.
   */
  renew(): Promise<void> | undefined {
    if (this.#fetching !== undefined) return this.#fetching;
    const now = this.#world.clock.monotonic();
    const isTooSoon = now - this.#renewedAtMs < this.#rules.cooldownMs;
    if (isTooSoon || this.#isClosed) return undefined;
    this.#renewedAtMs = now;
    return this.#fetch();
  }

  /** Seconds until it is tried again: when a caller who is told to come later may. */
  get retryAfterSeconds(): number {
    return Math.max(1, Math.ceil((this.#nextAtMs - this.#world.clock.monotonic()) / 1000));
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  #fetch(): Promise<void> {
    this.#cancel();
    this.#fetching = this.#load()
      .then(
        (keys) => this.#loaded(keys),
        (cause: unknown) => this.#failed(cause),
      )
      .finally(() => {
        this.#fetching = undefined;
      });
    return this.#fetching;
  }

  async #load(): Promise<KeySet> {
    const { issuer, url } = this.#rules;
    const { network } = this.#world;
    const from = url ?? endpointOf(await discoverIssuer(network, issuer, this.#rules), 'jwks_uri', issuer);
    const set = await fetchJson(network, from, this.#rules);
    const { host } = new URL(from);
    if (typeof set === 'number')
      throw new NetworkError('malformed', `${host} answers ${set} where its keys should be`);
    const { keys, ignored } = readKeys(set.keys);
    this.#tellIgnored(ignored);
    if (keys.length === 0) throw new NetworkError('malformed', `${host} publishes no usable key`);
    return new KeySet(keys);
  }

  #loaded(keys: KeySet): void {
    if (this.#isClosed) return;
    const isNew = keys.fingerprint !== this.#keys?.fingerprint;
    // The same keys stay the same object: what was verified with them need not be verified again.
    if (isNew) this.#keys = keys;
    this.#fetchedAtMs = this.#world.clock.now();
    const { issuer, refreshMs } = this.#rules;
    if (isNew || this.#failures > 0) this.#world.log.info('issuer-keys-loaded', { issuer, count: keys.size });
    this.#failures = 0;
    this.#lastProblem = '';
    // A little ahead, and not all workers and nodes at once.
    this.#schedule(refreshMs * (0.8 + 0.2 * this.#chance()));
  }

  #failed(cause: unknown): void {
    if (this.#isClosed) return;
    const [failure, problem] =
      cause instanceof NetworkError ? [cause.failure, cause.message] : ['defect', String(cause)];
    const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, MAX_RETRY_MS, this.#rules.refreshMs);
    this.#failures++;
    this.#schedule(pauseMs * (0.5 + 0.5 * this.#chance()));
    const serving = this.current(this.#world.clock.now()) !== undefined;
    // Told once per outage and cause, and when the keys are too old to serve; not with every try.
    const told = `${problem} ${serving}`;
    if (told === this.#lastProblem) return;
    this.#lastProblem = told;
    this.#world.log.warn('issuer-keys-unavailable', {
      issuer: this.#rules.issuer,
      failure,
      problem,
      serving,
    });
  }

  #tellIgnored(ignored: Readonly<Record<string, number>>): void {
    const told = JSON.stringify(ignored);
    if (told === this.#lastIgnored) return;
    this.#lastIgnored = told;
    if (Object.keys(ignored).length === 0) return;
    this.#world.log.warn('issuer-keys-ignored', { issuer: this.#rules.issuer, ...ignored });
  }

  #schedule(delayMs: number): void {
    this.#nextAtMs = this.#world.clock.monotonic() + delayMs;
    this.#cancel = this.#world.schedule(() => void this.#fetch(), delayMs);
  }

  /** From 0 up to 1. */
  #chance(): number {
    return Number.parseInt(this.#world.random.hex(4), 16) / 2 ** 32;
  }
}

/** Keys of a set for verifying signatures, and how many others there are, by why they are not taken. */
function readKeys(set: unknown): {
  readonly keys: readonly VerificationKey[];
  readonly ignored: Readonly<Record<string, number>>;
} {
  if (!Array.isArray(set)) throw new NetworkError('malformed', 'a key set has no list of keys');
  if (set.length > MAX_KEYS) throw new NetworkError('malformed', `a key set has more than ${MAX_KEYS} keys`);
  const keys: VerificationKey[] = [];
  const ignored: Partial<Record<KeyFault, number>> = {};
  for (const jwk of set) {
    const key = publicKeyOf(jwk);
    if (typeof key !== 'string') keys.push(key);
    else if (key !== 'other-use') ignored[key] = (ignored[key] ?? 0) + 1;
  }
  return { keys, ignored };
}
