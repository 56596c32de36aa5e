import type { Identity } from '../contract/index.ts';

type Credential = NonNullable<Identity['credential']>;

/** Kinds of credentials that somebody looks after here. Ids of tokens are as many as their issuers make. */
const KINDS: ReadonlySet<string> = new Set(['api-key', 'basic-auth', 'hmac-signature', 'mtls']);

/** Which credentials may be noted between two collections; what comes after is noted in the next. */
const MAX_NOTED = 100_000;

/** Which credentials were used on this worker since it was last asked. Costs a request no allocation. */
export class CredentialUses {
  #noted = new Set<string>();
  /** Often the same as the one before: then there is nothing to do. */
  #last: Credential | undefined;

  note(credential: Credential): void {
    if (credential === this.#last) return;
    this.#last = credential;
    if (KINDS.has(credential.kind) && this.#noted.size < MAX_NOTED) this.#noted.add(credential.id);
  }

  /** Their ids, each once. */
  take(): readonly string[] {
    const taken = [...this.#noted];
    this.#noted = new Set();
    this.#last = undefined;
    return taken;
  }
}
