import type {
  Consumer,
  ConsumerDirectory,
  CredentialKind,
  CredentialMatch,
  Identity,
  LiveData,
  Revocations,
  Secrets,
} from '../contract/index.ts';
import { canonicalJson } from '../lib/canonical-json.ts';
import { fingerprintOf, sha256Hex } from './digest.ts';
import type { DocumentPath } from './document-path.ts';
import type { IssueList } from './issues.ts';
import { MIN_SECRET_LENGTH } from './schema/consumer.ts';
import type { ConsumerConfig } from './schema/document.ts';

type ApiKey = NonNullable<ConsumerConfig['credentials']>[number]['api-key'];

const SENDABLE = /^[!-~]{1,512}$/;

/** A directory that can say whether it is the same as another. */
export interface FingerprintedDirectory extends ConsumerDirectory {
  /** Hash of everything in it, secrets by their fingerprints only. */
  readonly fingerprint: string;
}

/**
 * Resolves every credential to its fingerprint. Faults go to `issues`; a faulty credential is left out. A consumer
 * keeps its place where one before it could not be read (undefined), so that faults are told of the right one.
 */
export function buildConsumers(
  consumers: readonly (ConsumerConfig | undefined)[],
  groups: readonly string[],
  secrets: Secrets,
  live: Pick<LiveData, 'consumers' | 'revocations'>,
  issues: IssueList,
): FingerprintedDirectory {
  const builder = new DirectoryBuilder(secrets, issues);
  builder.addGroups(groups);
  for (const [i, consumer] of consumers.entries()) {
    if (consumer !== undefined) builder.add(consumer, ['consumers', i]);
  }
  return builder.directory(live);
}

class DirectoryBuilder {
  readonly #secrets: Secrets;
  readonly #issues: IssueList;
  readonly #consumers = new Map<string, Consumer>();
  readonly #groups = new Set<string>();
  readonly #ids = new Set<string>();
  readonly #matches = new Map<string, CredentialMatch>();

  constructor(secrets: Secrets, issues: IssueList) {
    this.#secrets = secrets;
    this.#issues = issues;
  }

  addGroups(groups: readonly string[]): void {
    for (const group of groups) this.#groups.add(group);
  }

  add(consumer: ConsumerConfig, path: DocumentPath): void {
    this.#consumers.set(consumer.name, consumerOf(consumer));
    this.addGroups(consumer.groups ?? []);
    for (const [i, credential] of (consumer.credentials ?? []).entries()) {
      this.#addApiKey(consumer, credential['api-key'], i, [...path, 'credentials', i, 'api-key']);
    }
  }

  #addApiKey(consumer: ConsumerConfig, key: ApiKey, index: number, path: DocumentPath): void {
    const id = key.id ?? `${consumer.name}-${index + 1}`;
    if (this.#ids.has(id)) this.#issues.add([...path, 'id'], `the credential id "${id}" is used twice`);
    this.#ids.add(id);
    const expiresAtMs = this.#expiry(key.expires, path);
    const secret = this.#issues.collect([...path, 'secret'], () => this.#secrets.resolve(key.secret));
    if (secret === undefined) return;
    this.#checkStrength(secret, [...path, 'secret']);
    const lookup = `api-key ${fingerprintOf(secret)}`;
    const rival = this.#matches.get(lookup);
    if (rival !== undefined) {
      const owner = rival.identity.consumer;
      this.#issues.add(
        [...path, 'secret'],
        `is the same secret as one of consumer "${owner}"`,
        'give each its own',
      );
      return;
    }
    this.#matches.set(lookup, matchOf(consumer, id, expiresAtMs));
  }

  #checkStrength(secret: string, path: DocumentPath): void {
    if (secret.length < MIN_SECRET_LENGTH) {
      const problem = `the secret is shorter than ${MIN_SECRET_LENGTH} characters`;
      this.#issues.add(path, problem, 'make one with: openssl rand -hex 24');
    } else if (!SENDABLE.test(secret)) {
      // It could never match, and a control that can never match must not look switched on.
      this.#issues.add(
        path,
        'the secret is not 512 or fewer visible ASCII characters, so no header can carry it',
      );
    }
  }

  #expiry(text: string | undefined, path: DocumentPath): number | undefined {
    if (text === undefined) return undefined;
    // A day is good to its end: a credential that "expires: 2027-01-31" still works on that day.
    const time = Date.parse(text.length === 10 ? `${text}T23:59:59.999Z` : text);
    const isCalendarDay = !Number.isNaN(time) && isRealDay(text.slice(0, 10));
    if (!isCalendarDay) this.#issues.add([...path, 'expires'], 'is not a day of the calendar');
    return isCalendarDay ? time : undefined;
  }

  directory(live: Pick<LiveData, 'consumers' | 'revocations'>): FingerprintedDirectory {
    const [consumers, groups, matches] = [this.#consumers, this.#groups, this.#matches];
    const held = [
      [...consumers].sort(([a], [b]) => (a < b ? -1 : 1)),
      [...groups].sort(),
      [...matches].map(([k, m]) => [k, m.identity, m.expiresAtMs ?? 0, m.verifier ?? '']),
    ];
    const { revocations } = live;
    return Object.freeze({
      find(kind: CredentialKind, key: string) {
        const match = matches.get(`${kind} ${key}`) ?? live.consumers.find(kind, key);
        return match === undefined || isRevoked(match.identity, revocations) ? undefined : match;
      },
      consumer(name: string) {
        const found = consumers.get(name) ?? live.consumers.consumer(name);
        return found !== undefined && revocations.hasConsumer(name) ? 'disabled' : found;
      },
      has: (name: string) => consumers.has(name),
      hasGroup: (group: string) => groups.has(group),
      names: Object.freeze([...consumers.keys()]),
      groups: Object.freeze([...groups]),
      fingerprint: sha256Hex(canonicalJson(held)),
    });
  }
}

function isRevoked({ consumer, credential }: Identity, revocations: Revocations): boolean {
  if (revocations.hasConsumer(consumer)) return true;
  return credential !== undefined && revocations.hasCredential(credential.id);
}

/** Date.parse rolls 30 February over to March. */
function isRealDay(day: string): boolean {
  const time = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}

const NOTHING: readonly string[] = Object.freeze([]);
const NO_CLAIMS: Readonly<Record<string, unknown>> = Object.freeze({});

function matchOf(consumer: ConsumerConfig, id: string, expiresAtMs: number | undefined): CredentialMatch {
  const { name, id: consumerId, groups } = consumerOf(consumer);
  const identity = Object.freeze({
    consumer: name,
    ...(consumerId === undefined ? {} : { consumerId }),
    groups,
    scopes: NOTHING,
    claims: NO_CLAIMS,
    credential: Object.freeze({ id, kind: 'api-key' }),
  });
  return Object.freeze({ identity, expiresAtMs });
}

function consumerOf({ name, id, groups = [] }: ConsumerConfig): Consumer {
  return Object.freeze({ name, ...(id === undefined ? {} : { id }), groups: Object.freeze([...groups]) });
}
