import type { ConsumerDirectory, CredentialMatch, Secrets } from '../contract/index.ts';
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
  secrets: Secrets,
  issues: IssueList,
): FingerprintedDirectory {
  const builder = new DirectoryBuilder(secrets, issues);
  for (const [i, consumer] of consumers.entries()) {
    if (consumer !== undefined) builder.add(consumer, ['consumers', i]);
  }
  return builder.directory();
}

class DirectoryBuilder {
  readonly #secrets: Secrets;
  readonly #issues: IssueList;
  readonly #names = new Set<string>();
  readonly #groups = new Set<string>();
  readonly #ids = new Set<string>();
  readonly #matches = new Map<string, CredentialMatch>();

  constructor(secrets: Secrets, issues: IssueList) {
    this.#secrets = secrets;
    this.#issues = issues;
  }

  add(consumer: ConsumerConfig, path: DocumentPath): void {
    this.#names.add(consumer.name);
    for (const group of consumer.groups ?? []) this.#groups.add(group);
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

  directory(): FingerprintedDirectory {
    const [names, groups, matches] = [this.#names, this.#groups, this.#matches];
    const held = [
      [...names].sort(),
      [...groups].sort(),
      [...matches].map(([k, m]) => [k, m.identity, m.expiresAtMs ?? 0]),
    ];
    return Object.freeze({
      find: (kind: string, fingerprint: string) => matches.get(`${kind} ${fingerprint}`),
      has: (name: string) => names.has(name),
      hasGroup: (group: string) => groups.has(group),
      names: Object.freeze([...names]),
      groups: Object.freeze([...groups]),
      fingerprint: sha256Hex(canonicalJson(held)),
    });
  }
}

/** Date.parse rolls 30 February over to March. */
function isRealDay(day: string): boolean {
  const time = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}

const NOTHING: readonly string[] = Object.freeze([]);
const NO_CLAIMS: Readonly<Record<string, unknown>> = Object.freeze({});

function matchOf(consumer: ConsumerConfig, id: string, expiresAtMs: number | undefined): CredentialMatch {
  const identity = Object.freeze({
    consumer: consumer.name,
    groups: Object.freeze([...(consumer.groups ?? [])]),
    scopes: NOTHING,
    claims: NO_CLAIMS,
    credential: Object.freeze({ id, kind: 'api-key' }),
  });
  return Object.freeze({ identity, expiresAtMs });
}
