import { type Decision, reject } from '../../contract/index.ts';
import { PolicyRejection } from '../../errors.ts';
import { challenge } from '../../identity/index.ts';

/** About how long it takes until those that wait have had their turn. */
const RETRY_AFTER_SECONDS = '3';

/** Why a claim that could be read is wrong: for the record. */
export const REASONS = Object.freeze({
  unknown: 'no consumer has this user name',
  wrong: 'the password is wrong',
  expired: 'the credential has expired',
  early: 'the credential is not valid yet',
});

/** What is said of credentials: one text and one rule for all wrong ones. */
export class Answers {
  readonly missing: Decision;
  readonly busy: Decision;
  readonly #headers: readonly string[];

  constructor(realm: string) {
    this.#headers = Object.freeze(['WWW-Authenticate', challenge('Basic', { realm, charset: 'UTF-8' })]);
    this.missing = reject(
      new PolicyRejection('unauthenticated', 'A user name and a password are required.', {
        headers: this.#headers,
        rule: 'missing',
      }),
    );
    this.busy = reject(
      new PolicyRejection('identity-unavailable', 'Too many passwords are being checked. Try again later.', {
        headers: Object.freeze(['Retry-After', RETRY_AFTER_SECONDS]),
        rule: 'busy',
        reason: 'as many passwords as may wait are waiting to be checked',
      }),
    );
  }

  invalid(reason: string): Decision {
    return reject(
      new PolicyRejection('invalid-credential', 'The user name or the password is not valid.', {
        headers: this.#headers,
        rule: 'invalid',
        reason,
      }),
    );
  }
}
