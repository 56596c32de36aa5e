import type { ConsumerDirectory, CredentialMatch } from '../../contract/index.ts';
import { readSignatureKey, type SignatureKey, sharedSecretVerifier } from '../../identity/index.ts';
import { RecentMap } from '../../lib/recent-map.ts';

/** Keys held ready; making one costs more than using it. */
const HELD = 1000;

/** A key with whose it is; nobody's where the key id is unknown. */
export interface FoundKey {
  readonly key: SignatureKey;
  readonly match: CredentialMatch | undefined;
}

/** The keys that signatures are verified with. */
export class SignatureKeys {
  readonly #consumers: ConsumerDirectory;
  readonly #held = new RecentMap<string, SignatureKey>(HELD);
  readonly #nobodys = sharedSecretVerifier(Buffer.alloc(32));

  constructor(consumers: ConsumerDirectory) {
    this.#consumers = consumers;
  }

  /** For an unknown key id a key all the same: to be used, and its answer thrown away, at the price of a known one. */
  find(keyId: string): FoundKey {
    const match = this.#consumers.find('hmac-signature', keyId);
    const verifier = match === undefined ? this.#consumers.decoy('hmac-signature', keyId) : match.verifier;
    if (match !== undefined && verifier === undefined) throw new Error('a signing key is without its key');
    return { key: this.#key(verifier ?? this.#nobodys), match };
  }

  #key(verifier: string): SignatureKey {
    let key = this.#held.get(verifier);
    if (key === undefined) {
      key = readSignatureKey(verifier);
      this.#held.set(verifier, key);
    }
    return key;
  }
}
