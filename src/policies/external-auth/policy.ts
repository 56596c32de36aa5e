import {
  type Awaitable,
  type BodyView,
  CONTINUE,
  type CredentialFields,
  type CredentialGuard,
  type Decision,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  reject,
} from '../../contract/index.ts';
import { NetworkError, PolicyFailure, PolicyRejection } from '../../errors.ts';
import { credentialFields, REPEATED_CREDENTIAL } from '../../identity/index.ts';
import { type Outcome, outcomeOf, undecided } from './answer.ts';
import { compileRules, type ExternalAuthRules } from './compile.ts';
import { keyTextOf, questionOf } from './question.ts';
import { externalAuthOutline, type externalAuthSchema } from './schema.ts';

/** Asks a service over HTTP whether a request may go on. */
export const externalAuth: PolicyDefinition<typeof externalAuthSchema> = {
  ...externalAuthOutline,
  compile(config, deps): Policy {
    const asking = new Asking(compileRules(config, deps), deps.guard);
    const { vouchesFor, credentialFields } = asking;
    if (config.body === undefined)
      return {
        vouchesFor,
        credentialFields,
        request: (c) => asking.prepare(c) ?? asking.decide(c, undefined),
      };
    return {
      vouchesFor,
      credentialFields,
      request: (c) => asking.prepare(c) ?? CONTINUE,
      requestBody: (c, body) => asking.tooLarge(body) ?? asking.decide(c, body),
    };
  },
};

/** Sent headers that say nothing of who calls. */
const DESCRIBES_CONTENT = /^(?:accept(?:-.*)?|content-(?:type|length|language)|origin|user-agent)$/;

/** Two of them are two identities, and the upstream may believe the one that the service did not look at. */
const CREDENTIALS: readonly string[] = ['authorization', 'cookie'];

const REPEATED = reject(
  new PolicyRejection('invalid-credential', 'The credential is not valid.', {
    rule: 'repeated',
    reason: REPEATED_CREDENTIAL,
  }),
);
const TOO_LARGE = reject(
  new PolicyRejection('payload-too-large', 'The request body is larger than allowed.', { rule: 'body' }),
);
const OTHER_METHOD = reject(
  new PolicyRejection('forbidden', 'Access is denied.', {
    rule: 'method',
    reason: 'the service cannot be asked with this method',
  }),
);

/** Asks for one request after the other; shared by all of a snapshot. */
class Asking {
  readonly vouchesFor: readonly string[];
  readonly credentialFields: CredentialFields;
  readonly #rules: ExternalAuthRules;
  readonly #guard: CredentialGuard;

  constructor(rules: ExternalAuthRules, guard: CredentialGuard) {
    this.vouchesFor = rules.vouchesFor;
    // What the service tells callers by only its operator knows.
    this.credentialFields = credentialFields(
      rules.question.requestHeaders.filter((name) => !DESCRIBES_CONTENT.test(name)),
    );
    this.#rules = rules;
    this.#guard = guard;
  }

  /** What is done whatever the service says, also where it does not answer and the request goes on. */
  prepare(c: PolicyContext): Decision | undefined {
    for (const name of this.vouchesFor) c.edits.removeRequestHeader(name);
    const { headers } = c.request;
    const { requestHeaders } = this.#rules.question;
    return CREDENTIALS.some((name) => requestHeaders.includes(name) && headers.count(name) > 1)
      ? REPEATED
      : undefined;
  }

  tooLarge(body: BodyView): Decision | undefined {
    const { maxBodyBytes = 0 } = this.#rules;
    return body.bytes.length > maxBodyBytes ? TOO_LARGE : undefined;
  }

  decide(c: PolicyContext, body: BodyView | undefined): Awaitable<Decision> {
    if (!this.#presentsCredential(c)) return this.#ask(c, body);
    const refused = this.#guard.check(c);
    if (refused instanceof Promise) return refused.then((decision) => decision ?? this.#ask(c, body));
    return refused ?? this.#ask(c, body);
  }

  /** Synchronous where the decision is remembered. */
  #ask(c: PolicyContext, body: BodyView | undefined): Awaitable<Decision> {
    const { memory, keyHeaders } = this.#rules;
    if (memory === undefined) return this.#answer(c, body).then((outcome) => this.#act(c, outcome));
    const { clock } = c.deps;
    const key = memory.keyOf(keyTextOf(c, keyHeaders));
    const kept = memory.find(key, clock);
    if (kept !== undefined) return this.#act(c, kept);
    return memory.share(key, clock, () => this.#answer(c, body)).then((outcome) => this.#act(c, outcome));
  }

  async #answer(c: PolicyContext, body: BodyView | undefined): Promise<Outcome> {
    const { question, answer } = this.#rules;
    const request = questionOf(c, question, body);
    if (request === undefined)
      return { kind: 'deny', decision: OTHER_METHOD, ofCredential: undefined, isKept: false };
    try {
      return outcomeOf(await c.deps.network.send(request), answer);
    } catch (cause) {
      // An outage and a defect alike: what the client said in the service's place must stay removed.
      if (cause instanceof PolicyFailure) throw cause;
      throw undecided(
        cause instanceof NetworkError ? cause.message : `${answer.service}: the answer is not understood`,
      );
    }
  }

  #act(c: PolicyContext, outcome: Outcome): Awaitable<Decision> {
    if (outcome.kind === 'deny') {
      const { decision, ofCredential } = outcome;
      if (ofCredential === undefined || !this.#presentsCredential(c)) return decision;
      const counted = this.#guard.failed(c);
      return counted instanceof Promise ? counted.then(() => ofCredential) : ofCredential;
    }
    const { caller, upstream, client } = outcome;
    if (caller !== undefined) {
      const identity = caller.identity();
      if (typeof identity === 'string') return disabled(identity);
      c.provide('identity', identity);
    }
    for (let i = 0; i < upstream.length; i += 2) c.edits.setRequestHeader(upstream[i], upstream[i + 1]);
    for (let i = 0; i < client.length; i += 2) c.edits.appendResponseHeader(client[i], client[i + 1]);
    return CONTINUE;
  }

  /** A cookie is sent with everything, also when it is old: only who presents a credential on purpose can guess one. */
  #presentsCredential({ request }: PolicyContext): boolean {
    return this.#rules.sendsAuthorization && request.headers.has('authorization');
  }
}

const disabled = (reason: string): Decision =>
  reject(new PolicyRejection('forbidden', 'Access is denied.', { rule: 'caller', reason }));
