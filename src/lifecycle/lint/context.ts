import type {
  DocumentAttachment,
  DocumentPlace,
  GatewayDocument,
  ListenerConfig,
  PolicyCatalog,
  RouteConfig,
} from '../../config/index.ts';
import { placesOf } from '../../config/index.ts';
import type { DocumentFiles, ListenerPlan, Snapshot } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';
import { type AclRules, aclRulesOf } from './acl-blocks.ts';
import { type AddressRules, addressRulesOf } from './address-entries.ts';

/** What a lint looks at. The document must have compiled to the snapshot. */
export interface LintInput {
  readonly document: GatewayDocument;
  readonly snapshot: Pick<Snapshot, 'listeners' | 'upstreams'>;
  readonly catalog: PolicyCatalog;
  /** The files that the document names; may be what a bundle captured. */
  readonly files: DocumentFiles;
  /** Milliseconds since the epoch: what is expired or due is so at this time. */
  readonly nowMs: number;
}

export interface LintListener extends DocumentPlace {
  readonly config: ListenerConfig;
  readonly plan: ListenerPlan;
}

export interface LintRoute extends DocumentPlace {
  readonly config: RouteConfig;
  /** Those that serve it. */
  readonly listeners: readonly LintListener[];
}

/** Where attachments stand. */
export type LintPlace = LintListener | LintRoute;

/** A document as the rules see it: its places with their attachments read. */
export class LintContext {
  readonly document: GatewayDocument;
  readonly snapshot: LintInput['snapshot'];
  readonly files: DocumentFiles;
  readonly nowMs: number;
  readonly listeners: readonly LintListener[];
  readonly routes: readonly LintRoute[];
  readonly #addresses: Known<AddressRules | undefined> = new Map();
  readonly #acls: Known<AclRules | undefined> = new Map();

  constructor({ document, snapshot, catalog, files, nowMs }: LintInput) {
    const places = placesOf(document, catalog);
    this.document = document;
    this.snapshot = snapshot;
    this.files = files;
    this.nowMs = nowMs;
    this.listeners = document.listeners.map((config, i) => {
      const plan = snapshot.listeners.find(({ name }) => name === config.name);
      if (plan === undefined) throw new InternalError('a lint needs the snapshot of its own document');
      return { ...places.listeners[i], config, plan };
    });
    this.routes = (document.routes ?? []).map((config, i) => ({
      ...places.routes[i],
      config,
      listeners: this.listeners.filter(({ name }) => config.listeners?.includes(name) ?? true),
    }));
  }

  /** What an `ip-list` says, read once; undefined for any other policy. */
  addressRules(a: DocumentAttachment): AddressRules | undefined {
    return remembered(this.#addresses, a, () => addressRulesOf(a, this.document.lists ?? {}, this.nowMs));
  }

  /** What an `acl` says, read once; undefined for any other policy. */
  aclRules(a: DocumentAttachment): AclRules | undefined {
    return remembered(this.#acls, a, () => aclRulesOf(a));
  }

  /** Listeners, then routes. */
  get places(): readonly LintPlace[] {
    return [...this.listeners, ...this.routes];
  }

  /** Every attachment, those that are off included. */
  *attachments(): Generator<DocumentAttachment> {
    for (const { attachments } of this.places) yield* attachments;
  }
}

/**
 * What always acts before an attachment of a place: one list for each listener that serves it, since a rule is only
 * beaten where it is so on all of them.
 */
export function alwaysBefore(
  place: LintPlace,
  attachment: DocumentAttachment,
): readonly (readonly DocumentAttachment[])[] {
  const { attachments } = place;
  const own = attachments.slice(0, attachments.indexOf(attachment)).filter(isAlwaysEnforced);
  if (!('listeners' in place)) return [own];
  return place.listeners.map((listener) => [...listener.attachments.filter(isAlwaysEnforced), ...own]);
}

/** Held in a box, since `undefined` is an answer too. */
type Known<T> = Map<DocumentAttachment, { readonly value: T }>;

function remembered<T>(known: Known<T>, key: DocumentAttachment, read: () => T): T {
  const held = known.get(key);
  if (held !== undefined) return held.value;
  const value = read();
  known.set(key, { value });
  return value;
}

/** Whether it acts on every request that comes to it. */
export const isAlwaysEnforced = ({ mode, when }: DocumentAttachment): boolean =>
  mode === 'enforce' && when === undefined;
