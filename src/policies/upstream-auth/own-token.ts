import type { Resource, ResourceRequest, ResourceWorld } from '../../contract/index.ts';
import { NetworkError } from '../../errors.ts';
import { type IssuedToken, OAuthClient, type OAuthClientRules } from '../../tokens/index.ts';

/** Whose token it is and what it is asked for with. */
export interface OwnTokenRules extends OAuthClientRules {
  /** `scope`, `audience`, `resource`. */
  readonly parameters: Readonly<Record<string, string>>;
}

const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;
/** Where the server does not say how long a token lasts (RFC 6749 §4.4.3). */
const ASSUMED_LIFETIME_MS = 300_000;
/** One that lasts for months may be revoked long before; and a timer beyond 24 days would go off at once. */
const LONGEST_USE_MS = 86_400_000;
/** It must still be good when it arrives. */
const ON_ITS_WAY_MS = 5000;
/** Between two renewals for an upstream that takes the token no more: who calls can bring such answers about. */
const COOLDOWN_MS = 30_000;

/** Which resource keeps that token. `fingerprint` stands for everything in the rules, secrets by their hashes. */
export function ownTokenRequest(rules: OwnTokenRules, fingerprint: string): ResourceRequest<OwnToken> {
  return {
    key: `own-token ${fingerprint}`,
    is: (resource): resource is OwnToken => resource instanceof OwnToken,
    open: (world) => new OwnToken(rules, world),
  };
}

/**
 * An access token of the gateway's own: fetched ahead, renewed when four fifths of its life (or of a day) are over, and
 * used to its end while no newer one can be had. Failures are tried again after growing, scattered pauses. Offline there is none,
 * and none is asked for.
 */
export class OwnToken implements Resource {
  readonly #rules: OwnTokenRules;
  readonly #world: ResourceWorld;
  readonly #client: OAuthClient;
  #token = '';
  #goodUntilMs = 0;
  #renewing: Promise<void> | undefined = undefined;
  #startedAtMs = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #isClosed = false;
  #cancel: () => void = () => {};
  /** Why there is none, in words for the record; '' after a success. */
  problem = '';
  /** There is no network: nobody will ever give a token, and nobody is sent one. */
  isOffline = false;

  constructor(rules: OwnTokenRules, world: ResourceWorld) {
    this.#rules = rules;
    this.#world = world;
    this.#client = new OAuthClient(rules, world.clock);
    void this.#renew();
  }

  /** The token as of now; undefined when there is none that is still good. */
  get current(): string | undefined {
    return this.#world.clock.monotonic() < this.#goodUntilMs ? this.#token : undefined;
  }

  /** A renewal that is under way, or undefined. Never rejects. */
  get pending(): Promise<void> | undefined {
    return this.#renewing;
  }

  /** The upstream refused the token: it may have been revoked. Asked for anew, not more often than in a cooldown. */
  refused(): void {
    if (this.#renewing !== undefined || this.#isClosed) return;
    if (this.#world.clock.monotonic() - this.#startedAtMs >= COOLDOWN_MS) void this.#renew();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  #renew(): Promise<void> {
    this.#cancel();
    this.#startedAtMs = this.#world.clock.monotonic();
    this.#renewing = this.#client
      .clientToken(this.#world.network, this.#rules.parameters)
      .then(
        (issued) => this.#renewed(issued),
        (cause: unknown) => this.#failed(cause),
      )
      .finally(() => {
        this.#renewing = undefined;
      });
    return this.#renewing;
  }

  #renewed({ token, lifetimeMs = ASSUMED_LIFETIME_MS }: IssuedToken): void {
    if (this.#isClosed) return;
    this.#token = token;
    // From when it was asked for: the server counts from before its answer arrived.
    this.#goodUntilMs = this.#startedAtMs + lifetimeMs - Math.min(ON_ITS_WAY_MS, lifetimeMs / 10);
    if (this.#problemIsOver()) this.#world.log.info('own-token-renewed', { server: this.#server });
    const usedMs = Math.min(lifetimeMs, LONGEST_USE_MS) * (0.75 + 0.1 * this.#chance());
    this.#schedule(Math.max(FIRST_RETRY_MS, usedMs));
  }

  #problemIsOver(): boolean {
    const wasTold = this.problem !== '';
    this.#failures = 0;
    this.problem = '';
    return wasTold;
  }

  #failed(cause: unknown): void {
    if (this.#isClosed) return;
    const isNetwork = cause instanceof NetworkError;
    this.isOffline = isNetwork && cause.failure === 'offline';
    const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, MAX_RETRY_MS);
    this.#failures++;
    this.#schedule(pauseMs * (0.5 + 0.5 * this.#chance()));
    const problem = isNetwork ? cause.message : 'the token cannot be asked for';
    if (problem === this.problem) return;
    // Told once per outage and cause, not with every try.
    this.problem = problem;
    const serving = this.current !== undefined;
    if (!this.isOffline)
      this.#world.log.warn('own-token-unavailable', { server: this.#server, problem, serving });
  }

  get #server(): string {
    const { endpoint } = this.#rules;
    return new URL('url' in endpoint ? endpoint.url : endpoint.issuer).host;
  }

  #schedule(delayMs: number): void {
    this.#cancel = this.#world.schedule(() => void this.#renew(), delayMs);
  }

  /** From 0 up to 1: not all workers and nodes at once. */
  #chance(): number {
    return Number.parseInt(this.#world.random.hex(4), 16) / 2 ** 32;
  }
}
