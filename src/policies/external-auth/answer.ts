import { type Decision, type OutboundResponse, reject } from '../../contract/index.ts';
import { PolicyFailure, PolicyRejection } from '../../errors.ts';
import { isFieldValue } from '../../http1/index.ts';
import type { ClaimMapping, TokenCaller } from '../../identity/index.ts';

/** How answers are understood, made ready. Names of headers in lower case. */
export interface AnswerRules {
  readonly mode: 'nginx' | 'envoy';
  /** Host of the service, for the record. */
  readonly service: string;
  readonly upstreamHeaders: readonly string[];
  readonly clientHeaders: readonly string[];
  readonly identity: IdentityHeaders | undefined;
}

export interface IdentityHeaders {
  readonly consumer: string;
  readonly groups: string | undefined;
  readonly scopes: string | undefined;
  readonly mapping: ClaimMapping;
}

/** What an answer comes to: the same for every request it is kept for. */
export type Outcome =
  | {
      readonly kind: 'allow';
      /** Flat lists: name, value, name, value. */
      readonly upstream: readonly string[];
      readonly client: readonly string[];
      readonly caller: TokenCaller | undefined;
      readonly isKept: boolean;
    }
  | {
      readonly kind: 'deny';
      readonly decision: Decision;
      /** The decision on who presents a credential, where the service asks who calls: it is wrong. */
      readonly ofCredential: Decision | undefined;
      readonly isKept: boolean;
    };

const UTF8 = new TextDecoder('utf-8', { fatal: true });
/** An answer of more than this is not kept for other requests: many of them would fill the memory. */
const MAX_KEPT_BYTES = 4096;

/** Throws PolicyFailure for an answer that decides nothing. */
export function outcomeOf(answer: OutboundResponse, rules: AnswerRules): Outcome {
  const { status } = answer;
  const allows = rules.mode === 'envoy' ? status === 200 : status >= 200 && status < 300;
  if (allows) return allowed(answer, rules);
  const denies = rules.mode === 'envoy' ? status >= 300 && status < 500 : status === 401 || status === 403;
  if (denies) return denied(answer, rules);
  throw undecided(`${rules.service} answered with the status ${status}`);
}

/** The service says nothing that can be acted on. `reason` is for the record. */
export function undecided(reason: string): PolicyFailure {
  return new PolicyFailure(
    'identity-unavailable',
    'Whether this is allowed cannot be found out now.',
    reason,
  );
}

function allowed(answer: OutboundResponse, rules: AnswerRules): Outcome {
  const upstream: string[] = [];
  for (const name of rules.upstreamHeaders) {
    const value = single(answer, name, rules);
    if (value !== undefined) upstream.push(name, value);
  }
  const client = fieldsOf(answer, rules.clientHeaders, rules);
  const caller = rules.identity === undefined ? undefined : callerOf(answer, rules.identity, rules);
  return { kind: 'allow', upstream, client, caller, isKept: mayBeKept(answer, client) };
}

function callerOf(answer: OutboundResponse, names: IdentityHeaders, rules: AnswerRules): TokenCaller {
  const value = (name: string | undefined) =>
    name === undefined ? undefined : textOf(single(answer, name, rules), rules);
  const claims = {
    consumer: value(names.consumer),
    groups: listOf(value(names.groups)),
    // As one text, which is read as scopes are.
    scopes: value(names.scopes),
  };
  const caller = names.mapping.caller(claims, { kind: 'external-auth' });
  // It lets somebody on and does not say whom: rules behind it would judge a stranger.
  if (typeof caller === 'string') throw undecided(`${rules.service}: ${caller}`);
  return caller;
}

/** Fields come as bytes, one a character; names are UTF-8. */
function textOf(field: string | undefined, { service }: AnswerRules): string | undefined {
  if (field === undefined) return undefined;
  try {
    return UTF8.decode(Buffer.from(field, 'latin1'));
  } catch {
    throw undecided(`${service} answered with a name that is no UTF-8`);
  }
}

const listOf = (text: string | undefined): readonly string[] | undefined =>
  text
    ?.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');

function denied(answer: OutboundResponse, rules: AnswerRules): Outcome {
  const { status, body } = answer;
  const isEnvoy = rules.mode === 'envoy';
  const always = isEnvoy ? ['www-authenticate', 'location'] : status === 401 ? ['www-authenticate'] : [];
  const headers = fieldsOf(answer, [...new Set([...always, ...rules.clientHeaders])], rules);
  const isUnauthenticated = status === 401;
  const more = {
    status,
    rule: 'denied',
    reason: `${rules.service} answered with the status ${status}`,
    headers,
    ...(isEnvoy ? { body: { type: typeOf(answer, rules), bytes: body } } : {}),
  };
  const decision = isUnauthenticated
    ? new PolicyRejection('unauthenticated', 'Authentication is required.', more)
    : new PolicyRejection('forbidden', 'Access is denied.', more);
  const ofCredential = isUnauthenticated
    ? reject(new PolicyRejection('invalid-credential', 'The credential is not valid.', more))
    : undefined;
  return { kind: 'deny', decision: reject(decision), ofCredential, isKept: mayBeKept(answer, headers) };
}

function typeOf(answer: OutboundResponse, rules: AnswerRules): string {
  return single(answer, 'content-type', rules) ?? 'application/octet-stream';
}

/** A cookie is for one client, and `no-store` is the service's word (RFC 9111 §5.2.2.5). */
function mayBeKept({ headers, body }: OutboundResponse, client: readonly string[]): boolean {
  if (client.includes('set-cookie') || body.length > MAX_KEPT_BYTES) return false;
  return !headers.getAll('cache-control').some((value) => /\bno-store\b/i.test(value));
}

/** The value of a header that must be one: which of two is meant is anybody's guess. */
function single({ headers }: OutboundResponse, name: string, { service }: AnswerRules): string | undefined {
  const values = headers.getAll(name);
  if (values.length > 1) throw undecided(`${service} answered with several fields "${name}"`);
  const [value] = values;
  if (value !== undefined && !isFieldValue(value))
    throw undecided(`${service} answered with an unsound "${name}"`);
  return value;
}

function fieldsOf(
  { headers }: OutboundResponse,
  names: readonly string[],
  { service }: AnswerRules,
): string[] {
  const fields: string[] = [];
  for (const name of names) {
    for (const value of headers.getAll(name)) {
      if (!isFieldValue(value)) throw undecided(`${service} answered with an unsound "${name}"`);
      fields.push(name, value);
    }
  }
  return fields;
}
