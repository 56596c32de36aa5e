import { type Decision, reject } from '../../contract/index.ts';
import { PolicyRejection } from '../../errors.ts';
import { challenge } from '../../identity/index.ts';
import type { HmacSignatureConfig } from './schema.ts';

/** What is said of signatures: one text and one rule for all wrong ones, and what has to be signed. */
export class Answers {
  readonly #withBody: readonly string[];
  readonly #withoutBody: readonly string[];

  constructor({ realm = 'api', label = 'sig', tag }: HmacSignatureConfig, components: readonly string[]) {
    const scheme = challenge('Signature', { realm });
    const headers = (names: readonly string[]): readonly string[] => {
      const list = names.map((name) => `"${name}"`).join(' ');
      // RFC 9421 §5.1: what a client is asked to sign, as a dictionary like the one it is to send.
      const asked = `${label}=(${list});created${tag === undefined ? '' : `;tag="${tag}"`}`;
      return Object.freeze(['WWW-Authenticate', scheme, 'Accept-Signature', asked]);
    };
    this.#withBody = headers(components);
    this.#withoutBody = headers(components.filter((name) => name !== 'content-digest'));
  }

  missing(hasBody: boolean): Decision {
    const headers = this.#headers(hasBody);
    return reject(
      new PolicyRejection('unauthenticated', 'A signature of the request is required.', {
        headers,
        rule: 'missing',
      }),
    );
  }

  invalid(hasBody: boolean, reason: string): Decision {
    const headers = this.#headers(hasBody);
    return reject(
      new PolicyRejection('invalid-credential', 'The signature is not valid.', {
        headers,
        rule: 'invalid',
        reason,
      }),
    );
  }

  #headers(hasBody: boolean): readonly string[] {
    return hasBody ? this.#withBody : this.#withoutBody;
  }
}
