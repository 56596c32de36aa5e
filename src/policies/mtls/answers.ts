import { type Decision, reject } from '../../contract/index.ts';
import { PolicyRejection } from '../../errors.ts';
import { challenge } from '../../identity/index.ts';

/** What is said of certificates: one text and one rule for all wrong ones. */
export class Answers {
  readonly missing: Decision;
  readonly #headers: readonly string[];
  readonly #invalid = new Map<string, Decision>();

  constructor(realm: string) {
    // A 401 has a challenge (RFC 9110 §15.5.2), though nothing in a request can answer this one.
    this.#headers = Object.freeze(['WWW-Authenticate', challenge('ClientCertificate', { realm })]);
    const more = {
      headers: this.#headers,
      rule: 'missing',
      reason: 'the connection has no client certificate',
    };
    this.missing = reject(new PolicyRejection('unauthenticated', 'A client certificate is required.', more));
  }

  invalid(reason: string): Decision {
    let decision = this.#invalid.get(reason);
    if (decision === undefined) {
      const more = { headers: this.#headers, rule: 'invalid', reason };
      decision = reject(
        new PolicyRejection('invalid-credential', 'The client certificate is not accepted here.', more),
      );
      // Reasons are of a bounded set, and how many are refused is the caller's choice.
      if (this.#invalid.size < MAX_REASONS) this.#invalid.set(reason, decision);
    }
    return decision;
  }
}

const MAX_REASONS = 100;
