import type { DeclaredConsumer, DeclaredCredential } from '../../config/index.ts';
import type {
  Attachment,
  Awaitable,
  Decision,
  Identity,
  PolicyContext,
  RecordedRequest,
} from '../../contract/index.ts';
import { type CallerProof, PROVED, type Unanswered } from '../../evaluator/index.ts';
import type { Provers } from './provers.ts';

/** What a revision and those beside it know of callers. Plain data. */
export interface KnownCallersOptions {
  /** What the revision declares. */
  readonly declared: readonly DeclaredConsumer[];
  /** What the revision before it declares; undefined where that is not known. */
  readonly declaredBefore: readonly DeclaredConsumer[] | undefined;
  /** Ids of credentials that are kept beside all revisions; undefined where nobody can tell. */
  readonly live: readonly string[] | undefined;
  /** What the revision takes for proof, and what the one before it did; undefined where that is not known. */
  readonly provers?: { readonly own: Provers; readonly before: Provers } | undefined;
}

/** Kinds of credentials that documents declare. The others are of issuers, which no revision changes. */
const DECLARED_KINDS: ReadonlySet<string> = new Set(['api-key', 'basic-auth', 'hmac-signature', 'mtls']);

/** Who a recorded caller is to another revision. */
export class KnownCallers {
  readonly #consumers: ReadonlyMap<string, DeclaredConsumer>;
  readonly #credentials = new Map<string, { consumer: DeclaredConsumer; credential: DeclaredCredential }>();
  /** Ids of credentials that were the document's. */
  readonly #before: ReadonlySet<string> | undefined;
  /** Groups that documents gave a consumer. */
  readonly #groupsBefore = new Map<string, Set<string>>();
  readonly #live: ReadonlySet<string> | undefined;
  readonly #provers: KnownCallersOptions['provers'];

  constructor({ declared, declaredBefore, live, provers }: KnownCallersOptions) {
    this.#provers = provers;
    this.#consumers = new Map(declared.map((consumer) => [consumer.name, consumer]));
    for (const consumer of declared) {
      for (const credential of consumer.credentials)
        this.#credentials.set(credential.id, { consumer, credential });
    }
    const ids = declaredBefore?.flatMap(({ credentials }) => credentials.map(({ id }) => id));
    this.#before = ids === undefined ? undefined : new Set(ids);
    for (const { name, groups } of declaredBefore ?? [])
      this.#groupsBefore.set(name, new Set([...(this.#groupsBefore.get(name) ?? []), ...groups]));
    this.#live = live === undefined ? undefined : new Set(live);
  }

  /**
   * The caller as this revision would know it. Undefined where nobody can tell: whether its credential is still one,
   * since the revision does not declare it and it is not known to be kept beside revisions; or whether it is still in a
   * group that a document no longer gives it.
   */
  of(identity: Identity, nowMs: number): Identity | undefined {
    const { credential } = identity;
    if (credential === undefined || !DECLARED_KINDS.has(credential.kind)) return this.#ofToken(identity);
    const own = this.#credentials.get(credential.id);
    if (own === undefined) return this.#isLive(credential.id) ? this.#asDeclared(identity) : undefined;
    const { notBeforeMs = 0, expiresAtMs = Number.POSITIVE_INFINITY, kind } = own.credential;
    const isValid = kind === credential.kind && nowMs >= notBeforeMs && nowMs < expiresAtMs;
    return isValid && own.consumer.name === identity.consumer ? this.#asDeclared(identity) : undefined;
  }

  /**
   * Whether what proved the caller of a record is still taken for proof by an attachment: by the same rules as it was then,
   * as far as they are known.
   */
  takes(a: Attachment, kind: string, { listener, outcome }: RecordedRequest): boolean {
    const own = this.#provers?.own.byAttachment[a.id];
    const before = this.#provers?.before.byPlace;
    if (own === undefined || before === undefined) return takesKind(a, kind);
    const known = [
      ...(before[`listener ${listener}`] ?? []),
      ...(before[`route ${outcome?.route ?? ''}`] ?? []),
    ];
    return own.some((proof) => proof.startsWith(`${kind} `) && known.includes(proof));
  }

  /** What neither this revision declares nor the one before it, this revision does not change. */
  #isLive(id: string): boolean {
    if (this.#before?.has(id) === true) return false;
    return this.#live === undefined ? this.#before !== undefined : this.#live.has(id);
  }

  /** Of a consumer that a document declares, groups are what the document says. */
  #asDeclared(identity: Identity): Identity {
    const consumer = this.#consumers.get(identity.consumer);
    return consumer === undefined ? identity : withGroups(identity, consumer.groups, consumer.id);
  }

  /** A token's groups are its own and those of the consumer that it names. */
  #ofToken(identity: Identity): Identity | undefined {
    const { groups = NOTHING, id } = this.#consumers.get(identity.consumer) ?? {};
    const before = this.#groupsBefore.get(identity.consumer);
    if (identity.groups.some((group) => before?.has(group) === true && !groups.includes(group)))
      return undefined;
    return withGroups(identity, [...new Set([...identity.groups, ...groups])], id ?? identity.consumerId);
  }
}

const NOTHING: readonly string[] = Object.freeze([]);

function withGroups(identity: Identity, groups: readonly string[], id: string | undefined): Identity {
  const { consumerId, ...rest } = identity;
  const isSame = groups.length === identity.groups.length && groups.every((g) => identity.groups.includes(g));
  if (isSame && id === consumerId) return identity;
  return { ...rest, groups, ...(id === undefined ? {} : { consumerId: id }) };
}

/** As far as the name of a policy says. */
export const takesKind = ({ policy, instance }: Attachment, kind: string): boolean =>
  kind === policy || instance.proves?.includes(kind) === true;

/**
 * The caller of a record, whose credential was left out. A policy that proves callers is asked, up to where it looks at
 * what was left out: there the credential was, and it proved who called, if it is of the kind that the policy takes.
 * What a policy says that does not look there holds: what is presented elsewhere proves nothing to it.
 */
export class RecordedCaller implements CallerProof {
  readonly #identity: Identity;
  readonly #unanswered: Unanswered;
  readonly #takes: (a: Attachment, kind: string) => boolean;

  constructor(
    identity: Identity,
    unanswered: Unanswered,
    takes: (a: Attachment, kind: string) => boolean = takesKind,
  ) {
    this.#identity = identity;
    this.#unanswered = unanswered;
    this.#takes = takes;
  }

  ask(a: Attachment, context: PolicyContext): Awaitable<Decision | undefined> {
    const said = this.#unanswered.interrupted(() => a.instance.request?.(context));
    return said instanceof Promise
      ? said.then((later) => this.#settle(a, context, later))
      : this.#settle(a, context, said);
  }

  #settle(
    a: Attachment,
    context: PolicyContext,
    said: Decision | undefined | 'interrupted',
  ): Decision | undefined {
    if (said !== 'interrupted') return said;
    const kind = this.#identity.credential?.kind;
    if (kind !== undefined && !this.#takes(a, kind)) this.#unanswered.note('credential', a);
    context.provide('identity', this.#identity);
    return PROVED;
  }
}

/** Claims that a recording does not hold are noted when they are looked at. */
export function withWatchedClaims(
  identity: Identity,
  withheld: readonly string[],
  onLook: () => void,
): Identity {
  if (withheld.length === 0) return identity;
  const claims: Record<string, unknown> = { ...identity.claims };
  for (const name of withheld) {
    const get = (): undefined => void onLook();
    Object.defineProperty(claims, name, { enumerable: true, get });
  }
  return { ...identity, claims };
}
