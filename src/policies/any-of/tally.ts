import { type Decision, reject } from '../../contract/index.ts';
import { InternalError, PolicyFailure, PolicyRejection } from '../../errors.ts';
import { partFailure } from '../../evaluator/index.ts';

/** A member's reason may hold what a caller sent; the record needs only enough of it to see the mistake. */
const MAX_REASON_LENGTH = 200;

interface Refusal {
  readonly member: string;
  readonly error: PolicyRejection;
}

/** What members said of one request that none of them has let on so far, and what follows if none will. */
export class Tally {
  readonly #refusals: Refusal[] = [];
  #failure: { readonly member: string; readonly cause: unknown } | undefined = undefined;
  #response: Decision | undefined = undefined;
  #isClosed = false;

  /** Whether somebody has something to say of the request: who lets on those that present nothing is not asked. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** `said`: anything but a success. */
  note(member: string, said: Decision): void {
    if (said.kind === 'continue') {
      this.#refusals.push({ member, error: NOBODY });
      return;
    }
    if (said.kind === 'respond') {
      this.#isClosed = true;
      this.#response ??= said;
      return;
    }
    if (said.kind !== 'reject') throw new InternalError('a member returned no decision');
    this.#isClosed ||= said.error.code !== 'unauthenticated';
    this.#refusals.push({ member, error: said.error });
  }

  fail(member: string, cause: unknown): void {
    this.#isClosed = true;
    const isBetter = cause instanceof PolicyFailure && !(this.#failure?.cause instanceof PolicyFailure);
    if (this.#failure === undefined || isBetter) this.#failure = { member, cause };
  }

  /** The one answer. Throws where a member that could not decide might have let the request on. */
  answer(): Decision {
    const unavailable = this.#refusals.find(({ error }) => error.code === 'identity-unavailable');
    if (unavailable !== undefined) return refusedBy(unavailable);
    if (this.#failure !== undefined) throw partFailure(this.#failure.member, this.#failure.cause);
    const definite = this.#refusals.find(({ error: { code } }) => !CREDENTIAL_CODES.has(code));
    if (definite !== undefined) return refusedBy(definite);
    const invalid = this.#refusals.find(({ error }) => error.code === 'invalid-credential');
    if (invalid === undefined && this.#response !== undefined) return this.#response;
    const more = { reason: this.#reason(), headers: this.#headers() };
    if (invalid === undefined) {
      return reject(
        new PolicyRejection('unauthenticated', 'Authentication is required.', { rule: 'missing', ...more }),
      );
    }
    return reject(
      new PolicyRejection('invalid-credential', 'The credential is not valid.', {
        rule: ruleOf(invalid),
        ...more,
      }),
    );
  }

  #reason(): string {
    if (this.#refusals.length === 0) return 'no member applies to the request';
    return this.#refusals.map(reasonOf).join('; ');
  }

  /** Every member's challenge in a field of its own (RFC 9110 §11.6.1), each once. */
  #headers(): readonly string[] {
    const flat: string[] = [];
    const seen = new Set<string>();
    for (const { error } of this.#refusals) {
      for (let i = 0; i < error.headers.length; i += 2) {
        const [name, value] = [error.headers[i], error.headers[i + 1]];
        const field = `${name.toLowerCase()}: ${value}`;
        if (!seen.has(field)) flat.push(name, value);
        seen.add(field);
      }
    }
    return flat;
  }
}

const CREDENTIAL_CODES: ReadonlySet<string> = new Set(['unauthenticated', 'invalid-credential']);
const NOBODY = new PolicyRejection('unauthenticated', '', { reason: 'did not establish who calls' });

function refusedBy(refusal: Refusal): Decision {
  const { code, detail, headers, status, body } = refusal.error;
  const more = { rule: ruleOf(refusal), reason: reasonOf(refusal), headers, status };
  return reject(new PolicyRejection(code, detail, body === undefined ? more : { ...more, body }));
}

const ruleOf = ({ member, error }: Refusal): string =>
  error.rule === undefined ? member : `${member}/${error.rule}`;

const reasonOf = ({ member, error }: Refusal): string =>
  `${member}: ${(error.reason ?? error.detail).slice(0, MAX_REASON_LENGTH)}`;
