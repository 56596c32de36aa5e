import type { Consumer, CredentialKind, LiveConsumers, LiveMatch } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';
import { RecentMap } from '../../lib/recent-map.ts';
import { consumerOfText, credentialId } from './encoding.ts';
import {
  CONSUMER,
  CONSUMER_KIND,
  type CredentialBuffers,
  DISABLED,
  EXPIRES,
  ID,
  KIND,
  KIND_MASK,
  NOT_BEFORE,
  OF_DOCUMENT,
  TEXT,
} from './layout.ts';
import { CODES, LookupDigests } from './lookup-key.ts';
import { NONE, TableView } from './table-view.ts';

/** Identities a thread remembers; about 300 bytes each. Those that call often are among them. */
const MAX_REMEMBERED = 32_768;

/** A change of one entry takes far less than a look at it. */
const MAX_ATTEMPTS = 1000;

const NOTHING: readonly string[] = Object.freeze([]);
const NO_CLAIMS: Readonly<Record<string, unknown>> = Object.freeze({});

interface KnownConsumer {
  readonly number: number;
  readonly version: number;
  readonly consumer: Consumer;
  readonly isDisabled: boolean;
  readonly isOfDocument: boolean;
}

interface KnownCredential {
  readonly number: number;
  readonly version: number;
  readonly kind: CredentialKind;
  readonly owner: KnownConsumer;
  readonly match: LiveMatch;
}

/** Live consumers as a worker sees them: what the owner of the table has put is found from that moment on. */
export function attachCredentials(buffers: CredentialBuffers): LiveConsumers {
  return new LiveCredentials(buffers);
}

class LiveCredentials implements LiveConsumers {
  readonly #view: TableView;
  readonly #digests = new LookupDigests();
  readonly #consumers = new RecentMap<number, KnownConsumer>(MAX_REMEMBERED);
  /** The same by their names, for tokens that name them. */
  readonly #named = new RecentMap<string, KnownConsumer>(MAX_REMEMBERED);
  /** By digest: while an entry has the version it had, it has the key it had. */
  readonly #credentials = new RecentMap<string, KnownCredential>(MAX_REMEMBERED);

  constructor(buffers: CredentialBuffers) {
    this.#view = new TableView(buffers);
  }

  find(kind: CredentialKind, key: string): LiveMatch | undefined {
    if (this.#view.isEmpty) return undefined;
    const digest = this.#digests.of(kind, key);
    if (digest === undefined) return undefined;
    const known = this.#credentials.get(digest);
    if (known !== undefined && known.kind === kind && this.#isCurrent(known)) return matchIn(known);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const number = this.#view.find(CODES[kind], digest);
      if (number === NONE) return undefined;
      const read = this.#credentialAt(number, this.#view.foundVersion, kind);
      if (read === undefined) continue;
      this.#credentials.set(digest, read);
      return matchIn(read);
    }
    throw unsteady();
  }

  #isCurrent({ number, version, owner }: KnownCredential): boolean {
    return this.#view.isAt(number, version) && this.#view.isAt(owner.number, owner.version);
  }

  consumer(name: string): Consumer | 'disabled' | undefined {
    if (this.#view.isEmpty) return undefined;
    const known = this.#named.get(name);
    if (known !== undefined && this.#view.isAt(known.number, known.version)) return consumerIn(known);
    const digest = this.#digests.of('consumer', name);
    if (digest === undefined) return undefined;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const number = this.#view.find(CODES.consumer, digest);
      if (number === NONE) return undefined;
      const read = this.#consumerAt(number);
      if (read === undefined || !this.#view.isAt(number, this.#view.foundVersion)) continue;
      this.#named.set(name, read);
      return consumerIn(read);
    }
    throw unsteady();
  }

  /** A credential with its consumer, both as they were at one moment; undefined when they changed meanwhile. */
  #credentialAt(number: number, version: number, kind: CredentialKind): KnownCredential | undefined {
    const view = this.#view;
    const owner = this.#consumerAt(view.word(number, CONSUMER));
    const reference = view.word(number, TEXT);
    const verifier = reference === 0 ? undefined : view.text(reference);
    const id = credentialId(view.word(number, ID), view.word(number, ID + 1));
    const expiresAtMs = timeOf(view.word(number, EXPIRES));
    const notBeforeMs = timeOf(view.word(number, NOT_BEFORE));
    if (owner === undefined || !view.isAt(number, version)) return undefined;
    if (reference !== 0 && verifier === undefined)
      throw new InternalError('a live credential has lost its text');
    const match = matchOf(owner, { id, kind }, { expiresAtMs, notBeforeMs, verifier });
    return { number, version, kind, owner, match };
  }

  /** Undefined when the entry changed meanwhile, or is none of a consumer. */
  #consumerAt(number: number): KnownConsumer | undefined {
    const view = this.#view;
    if (!view.has(number)) return undefined;
    const version = view.version(number);
    const known = this.#consumers.get(number);
    if (known?.version === version) return known;
    const kind = view.word(number, KIND);
    const text = view.text(view.word(number, TEXT));
    if (!view.isAt(number, version) || (kind & KIND_MASK) !== CONSUMER_KIND || text === undefined)
      return undefined;
    const read = {
      number,
      version,
      consumer: consumerOfText(text),
      isDisabled: (kind & DISABLED) !== 0,
      isOfDocument: (kind & OF_DOCUMENT) !== 0,
    };
    this.#consumers.set(number, read);
    return read;
  }
}

const matchIn = ({ owner, match }: KnownCredential): LiveMatch | undefined =>
  owner.isDisabled ? undefined : match;

/** Whether the document still has one of its own is for the document to say. */
function consumerIn({
  isOfDocument,
  isDisabled,
  consumer,
}: KnownConsumer): Consumer | 'disabled' | undefined {
  if (isOfDocument) return undefined;
  return isDisabled ? 'disabled' : consumer;
}

const unsteady = (): InternalError =>
  new InternalError('live credentials kept changing while they were read');

const timeOf = (seconds: number): number | undefined => (seconds === 0 ? undefined : (seconds >>> 0) * 1000);

function matchOf(
  { consumer, isOfDocument }: KnownConsumer,
  credential: { readonly id: string; readonly kind: CredentialKind },
  {
    expiresAtMs,
    notBeforeMs,
    verifier,
  }: Record<'expiresAtMs' | 'notBeforeMs', number | undefined> & {
    verifier: string | undefined;
  },
): LiveMatch {
  const identity = Object.freeze({
    consumer: consumer.name,
    ...(consumer.id === undefined ? {} : { consumerId: consumer.id }),
    groups: consumer.groups,
    scopes: NOTHING,
    claims: NO_CLAIMS,
    credential: Object.freeze(credential),
  });
  return Object.freeze({
    identity,
    expiresAtMs,
    ...(notBeforeMs === undefined ? {} : { notBeforeMs }),
    ...(verifier === undefined ? {} : { verifier }),
    isOfDocument,
  });
}
