import type { Clock, Network, Resource, ResourceRequest, ResourceWorld } from '../../contract/index.ts';
import type { Claims } from '../../identity/index.ts';
import { RecentMap } from '../../lib/recent-map.ts';
import { OAuthClient, type OAuthClientRules } from '../../tokens/index.ts';

/** Who is asked about tokens, and how long what it says is good for. */
export interface AnswersRules extends OAuthClientRules {
  readonly ttlMs: number;
  readonly staleMs: number;
  readonly maxEntries: number;
}

/** What the server said of a token: its claims, or that it is not active. */
export type Answer = Claims | 'inactive';

/** Monotonic milliseconds. */
interface Kept {
  readonly claims: Claims;
  readonly freshUntilMs: number;
  readonly staleUntilMs: number;
}

/** A token that is not active may become it (a clock behind, a replica behind): asked about again before long. */
const INACTIVE_MS = 5000;
/** While the server does not answer, it is not asked about a known token more often than this. */
const PAUSE_MS = 5000;

/** Which resource keeps those answers. `fingerprint` stands for everything in the rules, secrets by their hashes. */
export function answersRequest(rules: AnswersRules, fingerprint: string): ResourceRequest<Answers> {
  return {
    key: `introspection ${fingerprint}`,
    is: (resource): resource is Answers => resource instanceof Answers,
    open: (world) => new Answers(rules, world),
  };
}

/**
 * What an authorization server says of tokens (RFC 7662), kept by the hash of each: no token is. Active ones and others
 * have a memory each, so that a flood of made-up tokens drives out no good one. Shared by all attachments that ask the
 * same server alike, across reloads.
 */
export class Answers implements Resource {
  readonly #rules: AnswersRules;
  readonly #client: OAuthClient;
  readonly #active: RecentMap<string, Kept>;
  /** Until when they are good. */
  readonly #inactive: RecentMap<string, number>;
  readonly #asking = new Map<string, Promise<Answer>>();

  constructor(rules: AnswersRules, { clock }: Pick<ResourceWorld, 'clock'>) {
    this.#rules = rules;
    this.#client = new OAuthClient(rules, clock);
    this.#active = new RecentMap(rules.maxEntries);
    this.#inactive = new RecentMap(rules.maxEntries);
  }

  /** What is known of a token now; undefined where the server has to be asked. */
  find(tokenHash: string, clock: Clock): Answer | undefined {
    const now = clock.monotonic();
    const kept = this.#active.get(tokenHash);
    if (kept !== undefined && now < kept.freshUntilMs) return kept.claims;
    const inactiveUntilMs = this.#inactive.get(tokenHash);
    return inactiveUntilMs !== undefined && now < inactiveUntilMs ? 'inactive' : undefined;
  }

  /** Asks, once for all who ask about the token meanwhile. Rejects with NetworkError where nothing is known. */
  ask(tokenHash: string, token: string, network: Network, clock: Clock): Promise<Answer> {
    const under = this.#asking.get(tokenHash);
    if (under !== undefined) return under;
    const asking = this.#ask(tokenHash, token, network, clock).finally(() => this.#asking.delete(tokenHash));
    this.#asking.set(tokenHash, asking);
    return asking;
  }

  /** Nothing of it goes on by itself. */
  close(): void {}

  async #ask(tokenHash: string, token: string, network: Network, clock: Clock): Promise<Answer> {
    let claims: Claims | undefined;
    try {
      claims = await this.#client.introspect(network, token);
    } catch (cause) {
      const kept = this.#stale(tokenHash, clock);
      if (kept === undefined) throw cause;
      return kept;
    }
    const now = clock.monotonic();
    const { ttlMs, staleMs } = this.#rules;
    if (claims === undefined) {
      this.#active.delete(tokenHash);
      this.#inactive.set(tokenHash, now + Math.min(ttlMs, INACTIVE_MS));
      return 'inactive';
    }
    this.#inactive.delete(tokenHash);
    const freshUntilMs = now + Math.min(ttlMs, lifeOf(claims, clock.now()));
    this.#active.set(tokenHash, { claims, freshUntilMs, staleUntilMs: freshUntilMs + staleMs });
    return claims;
  }

  /** What was known, where it is not too old to be used in an outage. */
  #stale(tokenHash: string, clock: Clock): Claims | undefined {
    const kept = this.#active.get(tokenHash);
    const now = clock.monotonic();
    if (kept === undefined || now >= kept.staleUntilMs) return undefined;
    const freshUntilMs = Math.min(now + PAUSE_MS, kept.staleUntilMs);
    this.#active.set(tokenHash, { ...kept, freshUntilMs });
    return kept.claims;
  }
}

/**
 * Milliseconds until the token expires: the server may have prolonged it then. Endless where it does not say; a little
 * for one that has expired though it is active, or it would be asked about with every use.
 */
function lifeOf({ exp }: Claims, nowMs: number): number {
  if (typeof exp !== 'number') return Number.POSITIVE_INFINITY;
  const lifeMs = exp * 1000 - nowMs;
  return lifeMs > 0 ? lifeMs : INACTIVE_MS;
}
