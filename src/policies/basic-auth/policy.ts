import {
  type Awaitable,
  CONTINUE,
  type CompileDeps,
  type CredentialMatch,
  type Decision,
  type Held,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
} from '../../contract/index.ts';
import { ConfigError, InternalError } from '../../errors.ts';
import {
  AUTHORIZATION_FIELDS,
  REPEATED_CREDENTIAL,
  readAuthorization,
  readPasswordVerifier,
  validityFault,
  verifyPassword,
} from '../../identity/index.ts';
import { parseDuration } from '../../lib/duration.ts';
import { Answers, REASONS } from './answers.ts';
import { type PasswordChecks, type Proved, passwordChecks } from './password-checks.ts';
import { type BasicAuthConfig, basicAuthOutline, type basicAuthSchema } from './schema.ts';
import { MAX_CREDENTIALS_LENGTH, readUserPass } from './user-pass.ts';

const MAX_REMEMBER_MS = 24 * 3_600_000;

/** Identifies a consumer by a user name and a password (RFC 7617). */
export const basicAuth: PolicyDefinition<typeof basicAuthSchema> = {
  ...basicAuthOutline,
  compile(config, deps): Policy {
    return new BasicAuthPolicy(config, deps);
  },
};

/** A claim to be a user. */
interface Claim {
  readonly user: string;
  readonly credentials: string;
  /** What the credentials are remembered by. */
  readonly key: string;
  /** That they were right lately, where they were. */
  readonly proved: Proved | undefined;
}

class BasicAuthPolicy implements Policy {
  readonly credentialFields = AUTHORIZATION_FIELDS;
  readonly #consumers: CompileDeps['consumers'];
  readonly #guard: CompileDeps['guard'];
  readonly #held: Held<PasswordChecks>;
  readonly #rememberMs: number;
  readonly #hides: boolean;
  readonly #answers: Answers;
  /** Checks under way, by claim and address: who sends one pair many times at once pays for one. */
  readonly #pending = new Map<string, Promise<Decision | CredentialMatch>>();

  constructor(config: BasicAuthConfig, deps: CompileDeps) {
    this.#rememberMs = parseDuration(config.remember ?? '10m') ?? 0;
    if (this.#rememberMs > MAX_REMEMBER_MS) throw ConfigError.at('remember', 'is longer than 24h');
    this.#hides = config.hide ?? true;
    this.#consumers = deps.consumers;
    this.#guard = deps.guard;
    this.#answers = new Answers(config.realm ?? 'api');
    this.#held = deps.resources.acquire(passwordChecks);
  }

  dispose(): void {
    this.#held.release();
  }

  /** Synchronous for a password that is remembered, as long as the guard is. */
  request(c: PolicyContext): Awaitable<Decision> {
    const authorization = readAuthorization(c.request.headers);
    if (authorization === undefined) return this.#answers.missing;
    if (authorization === 'repeated') return this.#refuseUnread(c, REPEATED_CREDENTIAL);
    if (authorization === 'malformed') return this.#refuseUnread(c, 'the Authorization field is malformed');
    // Another scheme is another policy's.
    if (authorization.scheme !== 'basic') return this.#answers.missing;
    const claim = this.#claim(authorization.credentials, c.now);
    if (typeof claim === 'string') return this.#refuseUnread(c, claim);
    const refused = this.#guard.check(c, claim.user);
    if (refused === undefined) return this.#recognise(c, claim);
    if (!(refused instanceof Promise)) return refused;
    return refused.then((later) => later ?? this.#recognise(c, claim));
  }

  #claim(credentials: string, nowMs: number): Claim | string {
    if (credentials.length > MAX_CREDENTIALS_LENGTH) return 'the credentials are too long';
    const { resource } = this.#held;
    const key = resource.keyOf(credentials);
    const proved = resource.recall(key, nowMs, this.#rememberMs);
    if (proved !== undefined) return { user: proved.user, credentials, key, proved };
    const read = readUserPass(credentials);
    return typeof read === 'string' ? read : { user: read.user, credentials, key, proved };
  }

  /** Names nobody, so it is counted for its address alone, and costs no derivation whoever it may have meant. */
  async #refuseUnread(c: PolicyContext, reason: string): Promise<Decision> {
    const refused = await this.#guard.check(c);
    if (refused !== undefined) return refused;
    await this.#guard.failed(c);
    return this.#answers.invalid(reason);
  }

  #recognise(c: PolicyContext, claim: Claim): Awaitable<Decision> {
    const { user, proved } = claim;
    if (proved !== undefined) {
      // Looked up each time: what was revoked is not found, and what was changed has another verifier.
      const match = this.#consumers.find('basic-auth', user);
      const isCurrent = match !== undefined && match.verifier === proved.verifier;
      if (isCurrent && validityFault(match, c.now) === undefined) return this.#accept(c, match);
    }
    return this.#verify(c, claim);
  }

  async #verify(c: PolicyContext, claim: Claim): Promise<Decision> {
    const place = `${c.shadow} ${c.request.client.text} ${claim.key}`;
    let pending = this.#pending.get(place);
    if (pending === undefined) {
      pending = this.#held.resource.inTurn(() => this.#check(c, claim));
      if (pending === undefined) return this.#answers.busy;
      this.#pending.set(place, pending);
      const forget = () => this.#pending.delete(place);
      pending.then(forget, forget);
    }
    const outcome = await pending;
    return 'kind' in outcome ? outcome : this.#accept(c, outcome);
  }

  /** One derivation, whoever is claimed and whatever is wrong: neither time nor text tells users from strangers. */
  async #check(c: PolicyContext, { user, credentials, key }: Claim): Promise<Decision | CredentialMatch> {
    // Those that waited together are counted by now: they must not all be guesses.
    const refused = await this.#guard.check(c, user);
    if (refused !== undefined) return refused;
    const match = this.#consumers.find('basic-auth', user);
    const verifier = match === undefined ? this.#consumers.decoy('basic-auth', user) : match.verifier;
    const isRight = await isPassword(user, credentials, verifier);
    const fault = match === undefined ? 'unknown' : isRight ? validityFault(match, c.now) : 'wrong';
    if (match === undefined || fault !== undefined) {
      await this.#guard.failed(c, user);
      return this.#answers.invalid(REASONS[fault ?? 'unknown']);
    }
    if (this.#rememberMs > 0 && verifier !== undefined) {
      this.#held.resource.remember(key, { user, verifier, atMs: c.now });
    }
    return match;
  }

  #accept(c: PolicyContext, { identity }: CredentialMatch): Decision {
    c.provide('identity', identity);
    if (this.#hides) c.edits.removeRequestHeader('authorization');
    return CONTINUE;
  }
}

function isPassword(user: string, credentials: string, verifier: string | undefined): Promise<boolean> {
  const read = readUserPass(credentials);
  if (typeof read === 'string') throw new InternalError('credentials were read and then could not be');
  return verifyPassword(
    user,
    read.password,
    verifier === undefined ? undefined : readPasswordVerifier(verifier),
  );
}
