import type { SharedNetworks } from '../lib/cidr-set.ts';
import type { AddressWords, IpAddress } from '../lib/ip-address.ts';
import type { Consumer, CredentialKind, CredentialMatch } from './consumer.ts';

/** A network that is refused for a time, whatever the document says: an operator asked for it. */
export interface Ban {
  readonly id: string;
  /** CIDR. */
  readonly network: string;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly reason: string;
  /** Who asked for it. */
  readonly by: string;
}

/**
 * Whom a policy bans. Of an address that is its IPv4 address or, since one subscriber commonly holds all of it, its /64:
 * never anything wider. A caller is named by one text: `consumer mobile-app`, `credential api-key ab12`, or the id of an
 * attachment with a digest where it is the caller who chose the value.
 */
export type BanSubject =
  | { readonly address: IpAddress; readonly caller?: undefined }
  | { readonly caller: string; readonly address?: undefined };

interface ImpositionTerms {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** From then on nothing is remembered of it. Not before `untilMs`. */
  readonly forgetMs: number;
  readonly reason: string;
  /** Id of the attachment. */
  readonly by: string;
  /** Which ban of its subject in a row it is, from 1; 0 once it was lifted. */
  readonly strike: number;
  /** Grows with each ban of the subject and with its lifting: what counted towards an earlier one counts no more. */
  readonly round: number;
  /** Imposed in shadow: it is known, and nobody is banned. */
  readonly shadow: boolean;
}

/** A ban that a policy asks for. */
export type Imposition = ImpositionTerms & BanSubject;

/** A ban that a policy imposed. While it is remembered, and over or lifted, it tells what the next one has to follow. */
export type ImposedBan = ImpositionTerms &
  (
    | { readonly network: string; readonly caller?: undefined }
    | { readonly caller: string; readonly network?: undefined }
  );

/** Of networks alone. */
export type ImposedNetworkBan = Extract<ImposedBan, { readonly network: string }>;

/**
 * `known`: that round of the subject was banned already. `protected`: it would shut out the operator's own networks.
 * `full`: there are too many.
 */
export type ImpositionOutcome = 'imposed' | 'known' | 'protected' | 'full';

export interface BanList {
  /** The ban an address is under at that time, or undefined. */
  find(address: IpAddress, nowMs: number): Pick<Ban, 'id' | 'network'> | undefined;
  /** The ban a caller is under at that time, or undefined. */
  findCaller(caller: string, nowMs: number): ImposedBan | undefined;
  /** The latest ban that policies imposed on it and that is remembered, whether it stands or not. */
  imposedOn(subject: BanSubject, shadow: boolean, nowMs: number): ImposedBan | undefined;
  /** In force here when it returns, and elsewhere soon. Whoever asks twice for the same round bans once. */
  impose(ban: Imposition): ImpositionOutcome;
}

/** A named list of networks that is kept fresh without a revision. A handle: what it holds is swapped under it. */
export interface AddressList {
  /** Which content it has; undefined until there was any. */
  readonly version: string | undefined;
  /**
   * The entry of the narrowest network around an address that counts at `nowMs` (milliseconds since the epoch): a
   * number for `describe`, or -1. Throws PolicyFailure while no content was ever loaded: undecidable.
   */
  lookup(address: AddressWords, nowMs: number): number;
  /** Words for the record about an entry that a look-up of this address just gave: its network, and why where known. */
  describe(entry: number, address: AddressWords): string;
}

/** The content of a list, in memory that threads share. */
export interface ListContent {
  /** Which content it is: 64 hex digits. */
  readonly version: string;
  /** A look-up gives an entry's place, from 1. */
  readonly networks: SharedNetworks;
  /** The prefix of each entry, by its place. */
  readonly prefixes: Uint8Array;
}

export interface AddressLists {
  /** The list of that name, whether it has content or not. */
  list(name: string): AddressList;
}

/** What was revoked before its time. */
export interface Revocations {
  /** By the public id of a credential. */
  hasCredential(id: string): boolean;
  /** A consumer that is disabled, wherever it was declared. */
  hasConsumer(name: string): boolean;
  /** A token by its issuer and id (`iss`, `jti`). */
  hasToken(issuer: string, id: string): boolean;
  /** Grows with every change: what was remembered under an older number is looked at again. */
  readonly version: number;
}

/** A credential that is kept live. */
export interface LiveMatch extends CredentialMatch {
  /**
   * Its consumer is one of the document and not kept live: the identity here has its name only, and without such a
   * consumer in the document the credential is nobody's.
   */
  readonly isOfDocument: boolean;
}

/** Consumers and credentials that are kept live, beside those of the document. */
export interface LiveConsumers {
  /**
   * By the same keys as ConsumerDirectory. What was revoked, and what belongs to a disabled consumer, is not found;
   * what has expired is.
   */
  find(kind: CredentialKind, key: string): LiveMatch | undefined;
  /** One that is kept live. */
  consumer(name: string): Consumer | 'disabled' | undefined;
}

/** What changes at once, without a revision, and is the same for every request of a worker. */
export interface LiveData {
  readonly consumers: LiveConsumers;
  readonly bans: BanList;
  readonly lists: AddressLists;
  readonly revocations: Revocations;
}

/** One change of live data, as plain data between threads. Each tells all there is of its subject, unless it says so. */
export type LiveUpdate =
  | { readonly subject: 'bans'; readonly bans: readonly Ban[] }
  /** Bans of policies that are new or have changed, and the keys (`banKey`) of those no longer remembered. */
  | {
      readonly subject: 'imposed-bans';
      /** Whether these are all there are. */
      readonly whole: boolean;
      readonly bans: readonly ImposedBan[];
      readonly forgotten: readonly string[];
    }
  /** CIDR networks that no policy bans: the operator's own. */
  | { readonly subject: 'own-networks'; readonly networks: readonly string[] }
  | {
      readonly subject: 'list';
      readonly name: string;
      /** Undefined: as if it was never loaded. */
      readonly content: ListContent | undefined;
    }
  | {
      readonly subject: 'revocations';
      readonly credentials: readonly string[];
      readonly consumers: readonly string[];
      /** Issuer and token id. */
      readonly tokens: readonly (readonly [issuer: string, id: string])[];
    };
