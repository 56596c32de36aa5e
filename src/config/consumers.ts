import { hash } from 'node:crypto';
import type {
  Consumer,
  ConsumerDirectory,
  CredentialKind,
  CredentialMatch,
  Identity,
  LiveConsumers,
  LiveData,
  LiveMatch,
  Revocations,
} from '../contract/index.ts';
import { canonicalJson } from '../lib/canonical-json.ts';
import type { CredentialSources, ReadCredential } from './credentials/credential.ts';
import { type WrittenCredential, writtenCredential } from './credentials/read.ts';
import { readValidity } from './credentials/validity.ts';
import { sha256Hex } from './digest.ts';
import type { DocumentPath } from './document-path.ts';
import type { IssueList } from './issues.ts';
import type { CredentialConfig } from './schema/credential.ts';
import type { ConsumerConfig } from './schema/document.ts';

/** A directory that can say whether it is the same as another. */
export interface FingerprintedDirectory extends ConsumerDirectory {
  /** Hash of everything in it, verifiers included. */
  readonly fingerprint: string;
}

type Live = Pick<LiveData, 'consumers' | 'revocations'>;

/**
 * Resolves every credential to what it is found by and verified with. Faults go to `issues`; a faulty credential is
 * left out. A consumer keeps its place where one before it could not be read (undefined), so that faults are told of
 * the right one.
 */
export function buildConsumers(
  consumers: readonly (ConsumerConfig | undefined)[],
  groups: readonly string[],
  sources: CredentialSources,
  live: Live,
  issues: IssueList,
): FingerprintedDirectory {
  const builder = new DirectoryBuilder(sources, issues);
  builder.addGroups(groups);
  for (const [i, consumer] of consumers.entries()) {
    if (consumer !== undefined) builder.add(consumer, ['consumers', i]);
  }
  return builder.directory(live);
}

/** By kind, so that no text is made to look one up. */
type Matches = Readonly<Record<CredentialKind, Map<string, CredentialMatch>>>;

class DirectoryBuilder {
  readonly #sources: CredentialSources;
  readonly #issues: IssueList;
  readonly #consumers = new Map<string, Consumer>();
  readonly #groups = new Set<string>();
  readonly #ids = new Set<string>();
  readonly #matches: Matches = {
    'api-key': new Map(),
    'basic-auth': new Map(),
    'hmac-signature': new Map(),
    mtls: new Map(),
  };

  constructor(sources: CredentialSources, issues: IssueList) {
    this.#sources = sources;
    this.#issues = issues;
  }

  addGroups(groups: readonly string[]): void {
    for (const group of groups) this.#groups.add(group);
  }

  add(config: ConsumerConfig, path: DocumentPath): void {
    const consumer = consumerOf(config);
    this.#consumers.set(consumer.name, consumer);
    this.addGroups(consumer.groups);
    for (const [i, credential] of (config.credentials ?? []).entries()) {
      this.#addCredential(consumer, credential, i, [...path, 'credentials', i]);
    }
  }

  #addCredential(consumer: Consumer, config: CredentialConfig, index: number, path: DocumentPath): void {
    const written = writtenCredential(config, path, this.#sources, this.#issues);
    if (written === undefined) return;
    const { common } = written;
    const id = common.id ?? `${consumer.name}-${index + 1}`;
    if (this.#ids.has(id)) {
      this.#issues.add([...written.path, 'id'], `the credential id "${id}" is used twice`);
    }
    this.#ids.add(id);
    const validity = readValidity(common, written.path, this.#issues);
    const read = written.read();
    if (read === undefined || this.#hasRival(read, written)) return;
    const { kind, lookup, verifier } = read;
    const identity = identityOf(consumer, id, kind);
    const match = { identity, ...validity, ...(verifier === undefined ? {} : { verifier }) };
    this.#matches[kind].set(lookup, Object.freeze(match));
  }

  #hasRival({ kind, lookup, unique }: ReadCredential, { path }: WrittenCredential): boolean {
    const rival = this.#matches[kind].get(lookup);
    if (rival === undefined) return false;
    const message = unique.message(rival.identity.consumer);
    this.#issues.add([...path, unique.key], message, 'give each its own');
    return true;
  }

  directory(live: Live): FingerprintedDirectory {
    const [consumers, groups, matches] = [this.#consumers, this.#groups, this.#matches];
    const { revocations } = live;
    const fingerprint = fingerprintOf(consumers, groups, matches);
    const decoys = new Decoys(matches, fingerprint);
    const kept = new KeptCredentials(live.consumers, consumers);
    return Object.freeze({
      find(kind: CredentialKind, key: string) {
        const match = matches[kind].get(key) ?? kept.find(kind, key);
        return match === undefined || isRevoked(match.identity, revocations) ? undefined : match;
      },
      decoy: (kind: CredentialKind, key: string) => decoys.of(kind, key),
      consumer(name: string) {
        const found = consumers.get(name) ?? live.consumers.consumer(name);
        return found !== undefined && revocations.hasConsumer(name) ? 'disabled' : found;
      },
      has: (name: string) => consumers.has(name),
      hasGroup: (group: string) => groups.has(group),
      names: Object.freeze([...consumers.keys()]),
      groups: Object.freeze([...groups]),
      fingerprint,
    });
  }
}

function fingerprintOf(
  consumers: ReadonlyMap<string, Consumer>,
  groups: ReadonlySet<string>,
  matches: Matches,
): string {
  const credentials = Object.values(matches).flatMap((byKey) =>
    [...byKey].map(([key, { identity, expiresAtMs = 0, notBeforeMs = 0, verifier = '' }]) => [
      key,
      identity,
      expiresAtMs,
      notBeforeMs,
      verifier,
    ]),
  );
  const all = [[...consumers].sort(([a], [b]) => (a < b ? -1 : 1)), [...groups].sort(), credentials];
  return sha256Hex(canonicalJson(all));
}

/** Credentials that are kept live, as those of this document's consumers where they are theirs. */
class KeptCredentials {
  readonly #live: LiveConsumers;
  readonly #consumers: ReadonlyMap<string, Consumer>;
  readonly #completed = new WeakMap<LiveMatch, CredentialMatch>();

  constructor(live: LiveConsumers, consumers: ReadonlyMap<string, Consumer>) {
    this.#live = live;
    this.#consumers = consumers;
  }

  find(kind: CredentialKind, key: string): CredentialMatch | undefined {
    const match = this.#live.find(kind, key);
    if (match === undefined) return undefined;
    let completed = this.#completed.get(match);
    if (completed === undefined) {
      const consumer = this.#consumers.get(match.identity.consumer);
      // What the document says of its consumers counts, whoever keeps one of that name as well.
      if (consumer === undefined) return match.isOfDocument ? undefined : match;
      const { id = '' } = match.identity.credential ?? {};
      completed = Object.freeze({ ...match, identity: identityOf(consumer, id, kind) });
      this.#completed.set(match, completed);
    }
    return completed;
  }
}

/**
 * Verifiers for claims to what is not there. Which one is chosen hangs on the key and on what nobody outside knows,
 * so that each unknown key goes with one cost for good, in every worker, like a known one.
 */
class Decoys {
  readonly #verifiers: ReadonlyMap<string, readonly string[]>;
  readonly #secret: string;

  constructor(matches: Matches, secret: string) {
    const verifiersOf = (byKey: ReadonlyMap<string, CredentialMatch>) =>
      [...byKey.values()].flatMap(({ verifier }) => verifier ?? []);
    this.#verifiers = new Map(Object.entries(matches).map(([kind, byKey]) => [kind, verifiersOf(byKey)]));
    this.#secret = secret;
  }

  of(kind: CredentialKind, key: string): string | undefined {
    const verifiers = this.#verifiers.get(kind) ?? [];
    if (verifiers.length === 0) return undefined;
    return verifiers[hash('sha256', `${this.#secret} ${key}`, 'buffer').readUInt32BE() % verifiers.length];
  }
}

function isRevoked({ consumer, credential }: Identity, revocations: Revocations): boolean {
  if (revocations.hasConsumer(consumer)) return true;
  return credential !== undefined && revocations.hasCredential(credential.id);
}

const NOTHING: readonly string[] = Object.freeze([]);
const NO_CLAIMS: Readonly<Record<string, unknown>> = Object.freeze({});

function identityOf({ name, id, groups }: Consumer, credential: string, kind: CredentialKind): Identity {
  return Object.freeze({
    consumer: name,
    ...(id === undefined ? {} : { consumerId: id }),
    groups,
    scopes: NOTHING,
    claims: NO_CLAIMS,
    credential: Object.freeze({ id: credential, kind }),
  });
}

function consumerOf({ name, id, groups = [] }: ConsumerConfig): Consumer {
  return Object.freeze({ name, ...(id === undefined ? {} : { id }), groups: Object.freeze([...groups]) });
}
