import type { DeclaredConsumer } from '../../config/index.ts';
import type { ConsumerEntry, ConsumerStore } from '../../store/index.ts';
import { ProblemError } from '../admin/problem.ts';
import type { CallerBook, CallerDeps } from './caller-book.ts';
import type { RevocationDesk } from './revocation-desk.ts';
import { tableConsumer } from './table-rows.ts';

/** A consumer, wherever it is from. */
export interface ConsumerView {
  readonly name: string;
  /** Its id in another system. */
  readonly id: string | undefined;
  readonly groups: readonly string[];
  /** What the document says of a consumer counts, also where one of that name is kept live as well. */
  readonly origin: 'document' | 'live';
  readonly isDisabled: boolean;
  /** Milliseconds since the epoch; of one that is kept live. */
  readonly createdAt: number | undefined;
  readonly createdBy: string | undefined;
}

export interface NewConsumer {
  readonly name: string;
  readonly id: string | undefined;
  readonly groups: readonly string[];
}

/** What is left out stays; an id of null is taken away. */
export interface ConsumerUpdate {
  readonly id?: string | null;
  readonly groups?: readonly string[];
}

const PAGE = 1000;

/** Looks after consumers: those kept live, and whether those of the document may call. */
export class ConsumerDesk {
  readonly #deps: CallerDeps;
  readonly #book: CallerBook;
  readonly #revocations: RevocationDesk;

  constructor(deps: CallerDeps, book: CallerBook, revocations: RevocationDesk) {
    this.#deps = deps;
    this.#book = book;
    this.#revocations = revocations;
  }

  /** Of the document and live, by name. */
  async list(page: { readonly limit: number; readonly after: string }): Promise<readonly ConsumerView[]> {
    const live = new Map((await this.#consumers.listConsumers(page)).map((entry) => [entry.name, entry]));
    const declared = this.#deps.declared.consumers().filter(({ name }) => name > page.after);
    const names = new Set([...live.keys(), ...declared.map(({ name }) => name)]);
    return [...names]
      .sort()
      .slice(0, page.limit)
      .map((name) => this.#view(name, this.#deps.declared.consumer(name), live.get(name)));
  }

  /** @throws ProblemError `not-found` */
  async get(name: string): Promise<ConsumerView> {
    const entry = await this.#consumers.getConsumer(name);
    const declared = this.#deps.declared.consumer(name);
    if (entry === undefined && declared === undefined) throw noConsumer(name);
    return this.#view(name, declared, entry);
  }

  /** @throws ProblemError `conflict` when there is one of that name */
  create({ name, id: externalId, groups }: NewConsumer, by: string): Promise<ConsumerView> {
    return this.#book.change(async ({ consumers }) => {
      if (this.#deps.declared.consumer(name) !== undefined) throw declaredAlready(name);
      if ((await consumers.getConsumer(name)) !== undefined) {
        throw new ProblemError('conflict', `There is a consumer "${name}" already.`);
      }
      const [left] = await consumers.listCredentials({ limit: 1, before: undefined, consumer: name });
      // They were given to another of that name, which the document has no more.
      if (left !== undefined) throw leftBehind(name);
      const createdAt = this.#book.now;
      const entry: ConsumerEntry = {
        name,
        externalId,
        groups,
        createdAt,
        createdBy: by,
        disabledAt: undefined,
      };
      await this.#book.audit({
        actor: by,
        action: 'consumer.create',
        subject: name,
        detail: detailOf(entry),
      });
      await consumers.putConsumer(entry);
      this.#deps.table.putConsumer(tableConsumer(entry));
      return this.#view(name, undefined, entry);
    });
  }

  /** @throws ProblemError `conflict` for a consumer of the document, which says itself what it is */
  update(name: string, { id, groups }: ConsumerUpdate, by: string): Promise<ConsumerView> {
    return this.#book.change(async ({ consumers }) => {
      const entry = await this.#live(name);
      const change = {
        ...(id === undefined ? {} : { externalId: id ?? undefined }),
        ...(groups === undefined ? {} : { groups }),
      };
      const changed = { ...entry, ...change };
      await this.#book.audit({
        actor: by,
        action: 'consumer.update',
        subject: name,
        detail: detailOf(changed),
      });
      await consumers.updateConsumer(name, change);
      this.#deps.table.putConsumer(tableConsumer(changed));
      return this.#view(name, undefined, changed);
    });
  }

  /** Refuses it in every worker, with whatever credential. */
  disable(name: string, reason: string, by: string): Promise<ConsumerView> {
    return this.#book.change(async ({ consumers }) => {
      const { declared, entry } = await this.#find(name);
      if (this.#view(name, declared, entry).isDisabled) return this.#view(name, declared, entry);
      const at = this.#book.now;
      const deed = { action: 'consumer.disable', subject: name, detail: {} };
      if (entry === undefined || declared !== undefined) {
        const revocation = {
          kind: 'consumer',
          issuer: '',
          subject: name,
          at,
          by,
          reason,
          until: undefined,
        } as const;
        await this.#revocations.add(revocation, deed);
        return this.#view(name, declared, entry);
      }
      const disabled = { ...entry, disabledAt: at };
      this.#deps.table.putConsumer(tableConsumer(disabled));
      await consumers.updateConsumer(name, { disabledAt: at });
      await this.#book.audit({ actor: by, ...deed, detail: { reason } });
      return this.#view(name, declared, disabled);
    });
  }

  enable(name: string, by: string): Promise<ConsumerView> {
    return this.#book.change(async ({ consumers }) => {
      const { declared, entry } = await this.#find(name);
      if (!this.#view(name, declared, entry).isDisabled) return this.#view(name, declared, entry);
      await this.#book.audit({ actor: by, action: 'consumer.enable', subject: name, detail: {} });
      await this.#revocations.lift({ kind: 'consumer', issuer: '', subject: name });
      if (entry === undefined) return this.#view(name, declared, entry);
      const enabled = { ...entry, disabledAt: undefined };
      await consumers.updateConsumer(name, { disabledAt: undefined });
      this.#deps.table.putConsumer(tableConsumer(enabled));
      return this.#view(name, declared, enabled);
    });
  }

  /**
   * Removes one that is kept live with all its credentials; also credentials that were left behind by a consumer the
   * document has no more.
   */
  delete(name: string, by: string): Promise<void> {
    return this.#book.change(async ({ consumers }) => {
      if (this.#deps.declared.consumer(name) !== undefined) throw ofDocument(name);
      const entry = await consumers.getConsumer(name);
      const credentials = await this.#removeCredentials(name);
      if (entry === undefined && credentials === 0) throw noConsumer(name);
      this.#deps.table.removeConsumer(name);
      await consumers.removeConsumer(name);
      await this.#book.audit({
        actor: by,
        action: 'consumer.delete',
        subject: name,
        detail: { credentials },
      });
    });
  }

  /** From the table; how many there were in the store. */
  async #removeCredentials(consumer: string): Promise<number> {
    let count = 0;
    for (let before: number | undefined; ; ) {
      const page = await this.#consumers.listCredentials({ limit: PAGE, before, consumer });
      for (const { kind, lookup, revokedAt } of page) {
        if (revokedAt === undefined) this.#deps.table.removeCredential(kind, lookup);
      }
      count += page.length;
      before = page.at(-1)?.number;
      if (before === undefined) return count;
    }
  }

  get #consumers(): ConsumerStore {
    return this.#book.store.consumers;
  }

  async #find(
    name: string,
  ): Promise<{ declared: DeclaredConsumer | undefined; entry: ConsumerEntry | undefined }> {
    const declared = this.#deps.declared.consumer(name);
    const entry = await this.#consumers.getConsumer(name);
    const isKnown =
      declared !== undefined || entry !== undefined || this.#revocations.consumer(name) !== undefined;
    if (!isKnown) throw noConsumer(name);
    return { declared, entry };
  }

  async #live(name: string): Promise<ConsumerEntry> {
    const { declared, entry } = await this.#find(name);
    if (declared !== undefined) throw ofDocument(name);
    if (entry === undefined) throw noConsumer(name);
    return entry;
  }

  #view(
    name: string,
    declared: DeclaredConsumer | undefined,
    entry: ConsumerEntry | undefined,
  ): ConsumerView {
    return {
      name,
      id: declared === undefined ? entry?.externalId : declared.id,
      groups: declared?.groups ?? entry?.groups ?? [],
      origin: declared === undefined ? 'live' : 'document',
      isDisabled: entry?.disabledAt !== undefined || this.#revocations.consumer(name) !== undefined,
      createdAt: entry?.createdAt,
      createdBy: entry?.createdBy,
    };
  }
}

const detailOf = ({ externalId, groups }: Pick<ConsumerEntry, 'externalId' | 'groups'>) => ({
  id: externalId ?? null,
  groups: groups.join(' '),
});

export const noConsumer = (name: string): ProblemError =>
  new ProblemError('not-found', `There is no consumer "${name}", neither in the document nor live.`);

const declaredAlready = (name: string): ProblemError =>
  new ProblemError('conflict', `The document declares "${name}": credentials can be added to it as it is.`);

const ofDocument = (name: string): ProblemError =>
  new ProblemError('conflict', `The document declares "${name}": change it there, or disable it here.`);

const leftBehind = (name: string): ProblemError =>
  new ProblemError(
    'conflict',
    `Credentials of an earlier consumer "${name}" of the document are still kept: delete that consumer first.`,
  );
