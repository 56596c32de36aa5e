import type { ErrorCode } from '../errors.ts';
import type { Static, TSchema } from '../lib/schema.ts';
import type { ChunkDecision, Decision, DecisionEntry } from './decision.ts';
import type { Awaitable, CompileDeps, EvaluationDeps } from './deps.ts';
import type { Priority } from './priority.ts';
import type { CredentialFields } from './recorded.ts';
import type { BodyView, Identity, IdentityFields, RequestView, ResponseHead } from './request.ts';

/** Facts one policy establishes and another needs. Checked when a document is compiled. */
export interface Facts {
  identity: Identity | undefined;
  /** How the upstream is told who calls; by default in Kong's names. */
  identityFields?: IdentityFields | undefined;
}
export type FactKey = keyof Facts;

/**
 * A header field of which all but some numbers is known before there is a request. One that the evaluator's
 * `numberedField` made is not looked through again with each request.
 */
export interface NumberedField {
  readonly name: string;
  /** What stands before, between and after the numbers. At least one. */
  readonly texts: readonly string[];
}

/**
 * Edits a policy asks for; applied by the exchange, dropped whole for an attachment in shadow.
 * Request edits change what the upstream receives, response edits what the client receives, whoever answers.
 */
export interface EditJournal {
  setRequestHeader(name: string, value: string): void;
  removeRequestHeader(name: string): void;
  /** Takes every cookie of that name (case matters, RFC 6265 §4.2) out of `Cookie`; the others stay byte for byte. */
  removeRequestCookie(name: string): void;
  /** Takes every parameter of that name (as decoded) out of the query; the others stay byte for byte. */
  removeQueryParameter(name: string): void;
  setResponseHeader(name: string, value: string): void;
  appendResponseHeader(name: string, value: string): void;
  /** As `appendResponseHeader`: the field's texts with the numbers between them, of which there is one less. */
  appendResponseField(field: NumberedField, numbers: readonly number[]): void;
  removeResponseHeader(name: string): void;
}

/** The one thing a policy is given. It never touches a socket. */
export interface PolicyContext {
  readonly request: RequestView;
  readonly route: RouteContext;
  /** Milliseconds since the epoch when the request's evaluation began; the same for every policy of it. */
  readonly now: number;
  /** Whether the attachment is in shadow: what it counts must not change what others decide. */
  readonly shadow: boolean;
  readonly deps: EvaluationDeps;
  readonly facts: Readonly<Facts>;
  readonly edits: EditJournal;
  /** Establishes a fact for later policies. In shadow only later shadow attachments see it. */
  provide<K extends FactKey>(key: K, value: Facts[K]): void;
  /**
   * Runs `work` once when the request has ended, however it ends, in the order in which it was asked for; at once where
   * it has ended already. Nobody waits for it, but tests and replay. What it throws is told to the log.
   */
  onEnd(work: (end: RequestEnd) => Awaitable<void>): void;
}

/** How a request ended. */
export interface RequestEnd {
  /** Of the answer; 0 where none was sent, and offline where the upstream would have answered. */
  readonly status: number;
  /** Why the gateway answered by itself or the answer broke off; undefined where the upstream answered. */
  readonly code: ErrorCode | undefined;
  /** Every attachment's part in it. */
  readonly decisions: readonly DecisionEntry[];
  /** From the request sent to the head of the upstream's answer, in milliseconds; undefined where there was none. */
  readonly upstreamMs: number | undefined;
}

export interface RouteContext {
  /** Name of the route, or '' when none matched and only the listener's policies run. */
  readonly name: string;
  readonly listener: string;
  /** The route's; `normal` where none matched. */
  readonly priority: Priority;
  /** Values of `{name}` segments, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
}

/** A compiled policy: immutable, shared by all requests of its snapshot. Throwing means "could not decide" (PolicyFailure says why). */
export interface Policy {
  request?(c: PolicyContext): Awaitable<Decision>;
  /** Whether this request's body has to be buffered for `requestBody`; without it every body is. Asked after `request`. */
  wantsBody?(c: PolicyContext): boolean;
  requestBody?(c: PolicyContext, body: BodyView): Awaitable<Decision>;
  response?(c: PolicyContext, head: ResponseHead): Awaitable<Decision>;
  responseChunk?(c: PolicyContext, bytes: Uint8Array): Awaitable<ChunkDecision>;
  dispose?(): Awaitable<void>;
  /** Lets on who presents nothing: where there are other ways in, it is asked last and only then. */
  readonly admitsStrangers?: boolean;
  /** Request headers, in lower case, that only it may say to the upstream: a client's copies never go on in its place. */
  readonly vouchesFor?: readonly string[];
  /** Where it reads credentials, beside `Cookie`: what stands there is never recorded. Whoever provides an identity says. */
  readonly credentialFields?: CredentialFields;
  /** Of one that is made of members: kinds of credentials that they take. Any other takes those of its own name. */
  readonly proves?: readonly string[];
}

export type BodyNeed = 'none' | 'buffer' | 'stream';

/** Decided by the config. A method's type, so that definitions with different configs fit into one list. */
type Asked<C, R> = { ask(config: C): R }['ask'];

/** What is known of a kind of rule before any document names it. */
export interface PolicyOutline<S extends TSchema = TSchema> {
  /** Name in documents, kebab-case. */
  readonly name: string;
  /** One sentence for completion, docs and the console. */
  readonly summary: string;
  /** JSON Schema of the config: types, validation, editor completion and console forms come from it. */
  readonly schema: S;
  /** Whether the request body is needed before deciding. */
  readonly body: BodyNeed | Asked<Static<S>, BodyNeed>;
  /** Facts that an earlier attachment must provide, or what this config needs of them. */
  readonly needs?: readonly FactKey[] | Asked<Static<S>, readonly FactKey[]>;
  /** Facts that it establishes for those behind it, or that this config does. */
  readonly provides?: readonly FactKey[] | Asked<Static<S>, readonly FactKey[]>;
  /**
   * Whether a document's test can see it refuse or answer; by default it can. Not where it never does, nor where it does
   * so only for what happens outside of a document: a service that fails, requests that are under way.
   */
  readonly refuses?: boolean | Asked<Static<S>, boolean>;
}

/** A kind of rule: what a document may say of it, and how that becomes a Policy. */
export interface PolicyDefinition<S extends TSchema = TSchema> extends PolicyOutline<S> {
  /** Does all slow or fallible work. Throws ConfigError with paths relative to the config. */
  compile(config: Static<S>, deps: CompileDeps): Awaitable<Policy>;
}
