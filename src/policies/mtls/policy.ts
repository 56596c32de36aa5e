import {
  type Awaitable,
  type ClientCertificate,
  CONTINUE,
  type CompileDeps,
  type Decision,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
} from '../../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../../errors.ts';
import { NO_CREDENTIAL_FIELDS } from '../../identity/index.ts';
import { Answers } from './answers.ts';
import type { Callers } from './callers.ts';
import { CredentialCallers } from './credential-callers.ts';
import { ForwardedCertificate } from './forward.ts';
import { compileRule } from './rule.ts';
import { RuleCallers } from './rule-callers.ts';
import { type MtlsConfig, mtlsOutline, type mtlsSchema } from './schema.ts';

/** Identifies a consumer by the certificate that the client proved to have in the TLS handshake. */
export const mtls: PolicyDefinition<typeof mtlsSchema> = {
  ...mtlsOutline,
  compile(config, deps): Policy {
    const forwarded = config.forward === undefined ? undefined : new ForwardedCertificate(config.forward);
    return new MtlsPolicy(config, callersOf(config, deps), deps, forwarded);
  },
};

/**
 * By rules or by credentials, never by both: a certificate whose credential was revoked is not found among them, and
 * a rule must not let it on after all.
 */
function callersOf({ match }: MtlsConfig, deps: CompileDeps): Callers {
  if (match === undefined) return new CredentialCallers(deps.consumers);
  const issues: ConfigIssue[] = [];
  const rules = match.map((rule, i) => compileRule(rule, `match[${i}]`, deps, issues));
  if (issues.length > 0) throw new ConfigError(issues);
  return new RuleCallers(rules, deps);
}

class MtlsPolicy implements Policy {
  readonly credentialFields = NO_CREDENTIAL_FIELDS;
  readonly vouchesFor: readonly string[];
  readonly #callers: Callers;
  readonly #guard: CompileDeps['guard'];
  readonly #forwarded: ForwardedCertificate | undefined;
  readonly #answers: Answers;

  constructor(
    config: MtlsConfig,
    callers: Callers,
    { guard }: CompileDeps,
    forwarded: ForwardedCertificate | undefined,
  ) {
    this.vouchesFor = forwarded?.headers ?? [];
    this.#callers = callers;
    this.#guard = guard;
    this.#forwarded = forwarded;
    this.#answers = new Answers(config.realm ?? 'api');
  }

  /** Synchronous as long as the guard is. */
  request(c: PolicyContext): Awaitable<Decision> {
    const { certificate } = c.request;
    if (certificate === undefined) return this.#answers.missing;
    const refused = this.#guard.check(c);
    if (refused === undefined) return this.#identify(c, certificate);
    if (!(refused instanceof Promise)) return refused;
    return refused.then((later) => later ?? this.#identify(c, certificate));
  }

  /**
   * The guard is told of no certificate: one that a trusted authority has signed is nobody's guess, and who has it may
   * well be let on by another way in.
   */
  #identify(c: PolicyContext, certificate: ClientCertificate): Decision {
    // Verified when the connection was made; it may have been kept since.
    if (certificate.expiresAtMs <= c.now) return this.#answers.invalid('the certificate has expired');
    const caller = this.#callers.find(certificate, c.now);
    if ('reason' in caller) return this.#answers.invalid(caller.reason);
    c.provide('identity', caller);
    this.#forwarded?.tell(certificate, c.edits);
    return CONTINUE;
  }
}
