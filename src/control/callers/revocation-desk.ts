import type { ConsumerStore, RevocationEntry } from '../../store/index.ts';
import { ProblemError } from '../admin/problem.ts';
import type { CallerBook, CallerDeps } from './caller-book.ts';

/**
 * All of them go to every worker with each change: so many take about 20 ms, half of which a worker is held for
 * (measured).
 */
const MAX_TOKENS = 20_000;

/** A token as its issuer names it. */
export interface RevokedToken {
  /** `iss` and `jti`. */
  readonly issuer: string;
  readonly id: string;
  /** Milliseconds since the epoch: from then on it is refused as expired anyway. */
  readonly until: number;
  readonly reason: string;
}

type Subject = Pick<RevocationEntry, 'kind' | 'issuer' | 'subject'>;

const nameOf = ({ kind, issuer, subject }: Subject): string => JSON.stringify([kind, issuer, subject]);

/** What was taken back of others' making: credentials and consumers of the document, tokens of issuers. */
export class RevocationDesk {
  readonly #deps: CallerDeps;
  readonly #book: CallerBook;
  readonly #entries = new Map<string, RevocationEntry>();
  /** In effect, and not in the store. */
  readonly #unstored = new Map<string, RevocationEntry>();

  constructor(deps: CallerDeps, book: CallerBook) {
    this.#deps = deps;
    this.#book = book;
  }

  /** Brings what is revoked to the workers. Before the first request. */
  async load(store: ConsumerStore): Promise<void> {
    await this.#take(await store.revocations(this.#book.now));
  }

  /** As `load`, without a store. @throws StoreError */
  async loadKept(): Promise<void> {
    await this.#take(this.#deps.kept.load());
  }

  /**
   * Brings what the store does not have there, and takes up what it has by now: others revoke as well, and take back. In
   * the turn of a change. Rejects with StoreError.
   */
  async refresh(store: ConsumerStore): Promise<void> {
    await this.catchUp(store);
    const entries = await store.revocations(this.#book.now);
    this.#entries.clear();
    for (const entry of entries) this.#entries.set(nameOf(entry), entry);
    this.#keep();
    await this.#spread();
  }

  /** Brings what the store does not have there. Rejects with StoreError. */
  async catchUp(store: ConsumerStore): Promise<void> {
    for (const [name, entry] of this.#unstored) {
      await store.putRevocation(entry);
      this.#unstored.delete(name);
    }
  }

  async #take(entries: readonly RevocationEntry[]): Promise<void> {
    for (const entry of entries) this.#entries.set(nameOf(entry), entry);
    if (this.#entries.size > 0) await this.#spread();
  }

  /** Newest first. */
  list(): readonly RevocationEntry[] {
    void this.#book.store;
    this.#forgetExpired();
    return [...this.#entries.values()].sort((a, b) => b.at - a.at);
  }

  credential(id: string): RevocationEntry | undefined {
    return this.#entries.get(nameOf({ kind: 'credential', issuer: '', subject: id }));
  }

  consumer(name: string): RevocationEntry | undefined {
    return this.#entries.get(nameOf({ kind: 'consumer', issuer: '', subject: name }));
  }

  /** Resolves when no worker takes the token any more and it is kept. */
  revokeToken({ issuer, id, until, reason }: RevokedToken, by: string): Promise<RevocationEntry> {
    return this.#book.change(async () => {
      const at = this.#book.now;
      if (until <= at)
        throw new ProblemError('invalid-request', 'The token has expired by then: until is in the past.');
      this.#forgetExpired();
      const entry: RevocationEntry = { kind: 'token', issuer, subject: id, at, by, reason, until };
      const known = this.#entries.get(nameOf(entry));
      if (known === undefined && this.#countTokens() >= MAX_TOKENS) {
        const problem = `There are ${MAX_TOKENS} revoked tokens already; have the issuer rotate its keys.`;
        throw new ProblemError('conflict', problem);
      }
      const latest = Math.max(until, known?.until ?? until);
      return await this.add(
        { ...entry, until: latest },
        { action: 'token.revoke', subject: issuer, detail: { jti: id } },
      );
    });
  }

  /** In the turn of a change: takes effect in every worker, then is kept and audited. */
  async add(
    entry: RevocationEntry,
    { action, subject, detail }: { action: string; subject: string; detail: Record<string, string> },
  ): Promise<RevocationEntry> {
    this.#entries.set(nameOf(entry), entry);
    this.#unstored.set(nameOf(entry), entry);
    await this.#spread();
    this.#keep();
    await this.#book.store.consumers.putRevocation(entry);
    this.#unstored.delete(nameOf(entry));
    await this.#book.audit({ actor: entry.by, action, subject, detail: { ...detail, reason: entry.reason } });
    return entry;
  }

  /** In the turn of a change, audited before: what was taken back counts again. False: it was not taken back. */
  async lift(subject: Subject): Promise<boolean> {
    const wasKept = await this.#book.store.consumers.removeRevocation(subject);
    this.#unstored.delete(nameOf(subject));
    const wasThere = this.#entries.delete(nameOf(subject));
    this.#keep();
    if (wasThere) await this.#spread();
    return wasKept || wasThere;
  }

  /** Beside the store. What fails here is told of, and matters only to a start without a store. */
  #keep(): void {
    try {
      this.#deps.kept.save([...this.#entries.values()]);
    } catch (error) {
      this.#deps.log.error('revocations-not-kept', { error });
    }
  }

  #countTokens(): number {
    let count = 0;
    for (const { kind } of this.#entries.values()) if (kind === 'token') count++;
    return count;
  }

  #forgetExpired(): void {
    const { now } = this.#book;
    for (const [name, { until }] of this.#entries) {
      if (until !== undefined && until <= now) this.#entries.delete(name);
    }
  }

  async #spread(): Promise<void> {
    const all = [...this.#entries.values()];
    const subjects = (kind: RevocationEntry['kind']) =>
      all.filter((entry) => entry.kind === kind).map(({ subject }) => subject);
    await this.#deps.spread({
      subject: 'revocations',
      credentials: subjects('credential'),
      consumers: subjects('consumer'),
      tokens: all
        .filter((entry) => entry.kind === 'token')
        .map(({ issuer, subject }) => [issuer, subject] as const),
    });
  }
}
