import type { Resource, ResourceRequest, ResourceWorld } from '../../contract/index.ts';
import { NetworkError } from '../../errors.ts';
import { discoverIssuer, endpointOf, type IssuerAccess, type IssuerMetadata } from '../../tokens/index.ts';

/** What a sign-in needs to know of an OpenID provider (OpenID Connect Discovery 1.0 §3). */
export interface Provider {
  readonly issuer: string;
  readonly authorization: string;
  readonly token: string;
  readonly userinfo: string | undefined;
  readonly endSession: string | undefined;
  /** Whether it names itself in its answers (RFC 9207 §3). */
  readonly namesItself: boolean;
}

const REFRESH_MS = 3_600_000;
const [FIRST_RETRY_MS, MAX_RETRY_MS] = [1000, 30_000];

export function providerRequest(issuer: string, access: IssuerAccess): ResourceRequest<ProviderDirectory> {
  return {
    key: `oidc-login provider ${JSON.stringify([issuer, access])}`,
    is: (resource): resource is ProviderDirectory => resource instanceof ProviderDirectory,
    open: (world) => new ProviderDirectory(issuer, access, world),
  };
}

/**
 * A provider's endpoints, fetched ahead and again each hour, so that no sign-in waits for them but the first. What was
 * found once serves until there is something newer; failures are tried again after growing pauses.
 */
export class ProviderDirectory implements Resource {
  readonly #issuer: string;
  readonly #access: IssuerAccess;
  readonly #world: ResourceWorld;
  #provider: Provider | undefined = undefined;
  #fetching: Promise<void> | undefined = undefined;
  #failures = 0;
  #problem = 'it was not asked yet';
  #isClosed = false;
  #cancel: () => void = () => {};

  constructor(issuer: string, access: IssuerAccess, world: ResourceWorld) {
    this.#issuer = issuer;
    this.#access = access;
    this.#world = world;
    this.#fetch();
  }

  get current(): Provider | undefined {
    return this.#provider;
  }

  /** A fetch that is under way, or undefined. Never rejects. */
  get pending(): Promise<void> | undefined {
    return this.#fetching;
  }

  /** Why there is nothing, for the record. */
  get problem(): string {
    return this.#problem;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  #fetch(): void {
    this.#fetching = discoverIssuer(this.#world.network, this.#issuer, this.#access)
      .then((metadata) => this.#found(readProvider(metadata, this.#issuer)))
      .catch((cause: unknown) => this.#failed(cause))
      .finally(() => {
        this.#fetching = undefined;
      });
  }

  #found(provider: Provider): void {
    if (this.#isClosed) return;
    if (this.#failures > 0 || this.#provider === undefined)
      this.#world.log.info('oidc-provider-found', { issuer: this.#issuer });
    this.#provider = provider;
    this.#failures = 0;
    this.#problem = '';
    this.#schedule(REFRESH_MS);
  }

  #failed(cause: unknown): void {
    if (this.#isClosed) return;
    const problem = cause instanceof NetworkError ? cause.message : String(cause);
    this.#schedule(Math.min(FIRST_RETRY_MS * 2 ** this.#failures, MAX_RETRY_MS));
    this.#failures++;
    // Told once per outage and cause, not with every try.
    if (problem === this.#problem) return;
    this.#problem = problem;
    const serving = this.#provider !== undefined;
    this.#world.log.warn('oidc-provider-unavailable', { issuer: this.#issuer, problem, serving });
  }

  /** Scattered: not all workers and nodes at once. */
  #schedule(delayMs: number): void {
    const chance = Number.parseInt(this.#world.random.hex(4), 16) / 2 ** 32;
    this.#cancel = this.#world.schedule(() => this.#fetch(), delayMs * (0.8 + 0.2 * chance));
  }
}

/** Throws NetworkError for metadata that no sign-in can stand on. */
function readProvider(metadata: IssuerMetadata, issuer: string): Provider {
  const optional = (name: string) =>
    metadata[name] === undefined ? undefined : endpointOf(metadata, name, issuer);
  return {
    issuer,
    authorization: endpointOf(metadata, 'authorization_endpoint', issuer),
    token: endpointOf(metadata, 'token_endpoint', issuer),
    userinfo: optional('userinfo_endpoint'),
    endSession: optional('end_session_endpoint'),
    namesItself: metadata.authorization_response_iss_parameter_supported === true,
  };
}
