import { hash } from 'node:crypto';
import type { CredentialKind } from '../../contract/index.ts';
import type { ConsumerStore, CredentialEntry, StoredCredential } from '../../store/index.ts';
import { ProblemError } from '../admin/problem.ts';
import type { CallerBook, CallerDeps } from './caller-book.ts';
import { noConsumer } from './consumer-desk.ts';
import type { DeclaredOf } from './declared.ts';
import { type CredentialRequest, type MadeCredential, makeCredential } from './new-credential.ts';
import type { RevocationDesk } from './revocation-desk.ts';
import { tableCredential } from './table-rows.ts';
import type { UseKeeper } from './use-keeper.ts';

/** A credential, wherever it is from. Nothing in it is secret. Times in milliseconds since the epoch. */
export interface CredentialView {
  readonly id: string;
  readonly consumer: string;
  readonly kind: CredentialKind;
  readonly origin: 'document' | 'live';
  /** What may be shown of it: the first characters of a key, a user name, a key id, a thumbprint. */
  readonly shown: string | undefined;
  /** Of the credential alone: its consumer may be disabled all the same. */
  readonly state: 'active' | 'early' | 'expired' | 'revoked';
  readonly createdAt: number | undefined;
  readonly createdBy: string | undefined;
  readonly notBefore: number | undefined;
  readonly expiresAt: number | undefined;
  readonly revokedAt: number | undefined;
  readonly lastUsedAt: number | undefined;
  /** Which one took its place. */
  readonly successor: string | undefined;
}

/** A credential that was just made, with its secret, which is known to nobody else and shown once. */
export interface IssuedCredential {
  readonly credential: CredentialView;
  readonly secret: string | undefined;
}

export interface NewCredential extends CredentialRequest {
  readonly consumer: string;
  readonly notBefore: number | undefined;
  readonly expiresAt: number | undefined;
}

export interface Rotation {
  /** How long the one before is still accepted, in milliseconds. */
  readonly overlapMs: number;
  /** Of the new one; undefined: as long after its making as the one before. */
  readonly expiresAt: number | undefined;
}

const ID_BYTES = 8;

/** Looks after credentials: those kept live, and whether those of the document are taken back. */
export class CredentialDesk {
  readonly #deps: CallerDeps;
  readonly #book: CallerBook;
  readonly #revocations: RevocationDesk;
  readonly #uses: UseKeeper;

  constructor(
    deps: CallerDeps,
    book: CallerBook,
    { revocations, uses }: { readonly revocations: RevocationDesk; readonly uses: UseKeeper },
  ) {
    this.#deps = deps;
    this.#book = book;
    this.#revocations = revocations;
    this.#uses = uses;
  }

  /** Live ones newest first, page by page; those of the document all before the first page. */
  async list(page: {
    readonly limit: number;
    readonly before: number | undefined;
    readonly consumer: string | undefined;
  }): Promise<{ readonly credentials: readonly CredentialView[]; readonly next: number | undefined }> {
    await this.#uses.refresh();
    const live = await this.#store.listCredentials(page);
    const declared = page.before === undefined ? await this.#declaredOf(page.consumer) : [];
    return {
      credentials: [...declared, ...live.map((row) => this.#viewLive(row))],
      next: live.length < page.limit ? undefined : live.at(-1)?.number,
    };
  }

  /** @throws ProblemError `not-found` */
  async get(id: string): Promise<CredentialView> {
    await this.#uses.refresh();
    const row = await this.#store.getCredential(id);
    if (row !== undefined) return this.#viewLive(row);
    const declared = this.#deps.declared.credential(id);
    if (declared === undefined) throw noCredential(id);
    return await this.#viewDeclared(declared);
  }

  /** @throws ProblemError `not-found` for the consumer, `conflict` for a user name or key that is taken */
  create(request: NewCredential, by: string): Promise<IssuedCredential> {
    return this.#book.change(async ({ consumers }) => {
      const { consumer, notBefore, expiresAt, ...asked } = request;
      await this.#assertConsumer(consumer);
      this.#assertTimes(notBefore, expiresAt);
      const { entry, secret } = await this.#make(asked, { consumer, by, notBefore, expiresAt });
      await this.#assertFree(entry);
      const detail = { consumer, kind: entry.kind, shown: entry.shown, expires: isoOrNull(expiresAt) };
      await this.#book.audit({ actor: by, action: 'credential.create', subject: entry.id, detail });
      await consumers.putCredential(entry);
      this.#putInTable(entry);
      return { credential: this.#viewLive(entry), secret };
    });
  }

  /**
   * Makes one of the same kind for the same consumer; the one before is accepted for the overlap.
   * @throws ProblemError `conflict` for one that is over or succeeded already, or whose secret is not made here
   */
  rotate(id: string, { overlapMs, expiresAt }: Rotation, by: string): Promise<IssuedCredential> {
    return this.#book.change(async ({ consumers }) => {
      const before = await this.#rotatable(id, overlapMs);
      const { consumer, kind, lookup, createdAt } = before;
      const now = this.#book.now;
      const lifetime = before.expiresAt === undefined ? undefined : before.expiresAt - createdAt;
      const expires = expiresAt ?? (lifetime === undefined ? undefined : now + lifetime);
      this.#assertTimes(undefined, expires);
      const asked = { kind, ...(kind === 'basic-auth' ? { username: lookup } : {}) };
      const { entry, secret } = await this.#make(asked, {
        consumer,
        by,
        notBefore: undefined,
        expiresAt: expires,
      });
      const end =
        overlapMs === 0 ? 'revoked' : Math.min(before.expiresAt ?? Number.POSITIVE_INFINITY, now + overlapMs);
      const detail = { consumer, kind, heir: entry.id, end: end === 'revoked' ? end : isoOrNull(end) };
      await this.#book.audit({ actor: by, action: 'credential.rotate', subject: id, detail });
      await consumers.succeedCredential(id, entry, end);
      if (end !== 'revoked') this.#putInTable({ ...before, expiresAt: end });
      else if (lookup !== entry.lookup) this.#deps.table.removeCredential(kind, lookup);
      this.#putInTable(entry);
      return { credential: this.#viewLive(entry), secret };
    });
  }

  /** Refuses it in every worker from when this resolves, one of the document as well. */
  revoke(id: string, reason: string, by: string): Promise<CredentialView> {
    return this.#book.change(async ({ consumers }) => {
      const row = await consumers.getCredential(id);
      if (row === undefined) return await this.#revokeDeclared(id, reason, by);
      if (row.revokedAt !== undefined) return this.#viewLive(row);
      const at = this.#book.now;
      this.#deps.table.removeCredential(row.kind, row.lookup);
      await consumers.revokeCredential(id, at);
      const detail = { consumer: row.consumer, kind: row.kind, reason };
      await this.#book.audit({ actor: by, action: 'credential.revoke', subject: id, detail });
      return this.#viewLive({ ...row, revokedAt: at });
    });
  }

  /** Takes the revocation of a credential of the document back. Those kept live stay revoked: their keys are gone. */
  restore(id: string, by: string): Promise<CredentialView> {
    return this.#book.change(async ({ consumers }) => {
      if ((await consumers.getCredential(id)) !== undefined) {
        throw new ProblemError('conflict', 'A live credential that was revoked stays so: create another.');
      }
      const declared = this.#deps.declared.credential(id);
      const revocation = this.#revocations.credential(id);
      if (revocation === undefined && declared === undefined) throw noCredential(id);
      if (revocation !== undefined) {
        await this.#book.audit({ actor: by, action: 'credential.restore', subject: id, detail: {} });
        await this.#revocations.lift(revocation);
      }
      if (declared === undefined) throw noCredential(id);
      return await this.#viewDeclared(declared);
    });
  }

  async #revokeDeclared(id: string, reason: string, by: string): Promise<CredentialView> {
    const declared = this.#deps.declared.credential(id);
    if (declared === undefined) throw noCredential(id);
    if (this.#revocations.credential(id) === undefined) {
      const { consumer, kind } = declared;
      const at = this.#book.now;
      await this.#revocations.add(
        { kind: 'credential', issuer: '', subject: id, at, by, reason, until: undefined },
        { action: 'credential.revoke', subject: id, detail: { consumer, kind } },
      );
    }
    return await this.#viewDeclared(declared);
  }

  async #make(
    asked: CredentialRequest,
    more: Pick<CredentialEntry, 'consumer' | 'notBefore' | 'expiresAt'> & { readonly by: string },
  ): Promise<{ readonly entry: CredentialEntry; readonly secret: string | undefined }> {
    const { by: createdBy, consumer, notBefore, expiresAt } = more;
    const { keys, randomBytes } = this.#deps;
    const id = `cr-${Buffer.from(randomBytes(ID_BYTES)).toString('hex')}`;
    const digest = (text: string) => hash('sha256', text, 'base64url');
    const made: MadeCredential = await makeCredential(asked, { id, consumer, keys, randomBytes, digest });
    const { secret, ...kept } = made;
    const times = { createdAt: this.#book.now, notBefore, expiresAt, revokedAt: undefined };
    const entry = { id, consumer, kind: asked.kind, ...kept, createdBy, ...times, successor: undefined };
    return { entry, secret };
  }

  #putInTable(entry: CredentialEntry): void {
    const { table, keys } = this.#deps;
    if (!table.hasConsumer(entry.consumer)) {
      table.putConsumer({ name: entry.consumer, groups: [], isDisabled: false, isOfDocument: true });
    }
    table.putCredential(tableCredential(entry, keys));
  }

  async #rotatable(id: string, overlapMs: number): Promise<StoredCredential> {
    const row = await this.#store.getCredential(id);
    if (row === undefined) {
      if (this.#deps.declared.credential(id) === undefined) throw noCredential(id);
      throw new ProblemError('conflict', 'It stands in the document: rotate it there, or create a live one.');
    }
    const { state } = this.#viewLive(row);
    if (state === 'revoked' || state === 'expired')
      throw new ProblemError('conflict', `It is ${state}: create another.`);
    if (row.successor !== undefined)
      throw new ProblemError('conflict', `${row.successor} took its place already.`);
    await this.#assertConsumer(row.consumer);
    if (row.kind === 'mtls' || (row.kind === 'hmac-signature' && row.sealed === undefined)) {
      throw new ProblemError(
        'conflict',
        'Its key is the caller’s own: create the new one, then revoke this one.',
      );
    }
    if (row.kind === 'basic-auth' && overlapMs > 0) {
      const problem =
        'A user name has one password at a time: rotate with an overlap of 0s, or create another user name.';
      throw new ProblemError('conflict', problem);
    }
    return row;
  }

  async #assertConsumer(name: string): Promise<void> {
    if (this.#deps.declared.consumer(name) !== undefined) return;
    if ((await this.#store.getConsumer(name)) === undefined) throw noConsumer(name);
  }

  #assertTimes(notBefore: number | undefined, expiresAt: number | undefined): void {
    if (expiresAt === undefined) return;
    if (expiresAt <= this.#book.now)
      throw new ProblemError('invalid-request', 'It would have expired already.');
    if (notBefore !== undefined && expiresAt <= notBefore) {
      throw new ProblemError('invalid-request', 'It would expire before it is valid.');
    }
  }

  /** One of the document would be found first, and this one never. */
  async #assertFree({ kind, lookup }: CredentialEntry): Promise<void> {
    const taken = this.#deps.declared
      .consumers()
      .flatMap(({ credentials }) => credentials)
      .some((declared) => declared.kind === kind && declared.publicKey === lookup);
    if (taken || (await this.#store.hasActive(kind, lookup))) {
      throw new ProblemError(
        'conflict',
        'A credential of that user name, key id or certificate is there already.',
      );
    }
  }

  async #declaredOf(consumer: string | undefined): Promise<readonly CredentialView[]> {
    const { declared } = this.#deps;
    const consumers =
      consumer === undefined ? declared.consumers() : [declared.consumer(consumer) ?? []].flat();
    const all = consumers.flatMap(({ name, credentials }) =>
      credentials.map((c) => ({ ...c, consumer: name })),
    );
    const used = await this.#store.lastUse(all.map(({ id }) => id));
    return all.map((one) => this.#viewOf(one, used.get(one.id)));
  }

  async #viewDeclared(declared: DeclaredOf): Promise<CredentialView> {
    const used = await this.#store.lastUse([declared.id]);
    return this.#viewOf(declared, used.get(declared.id));
  }

  #viewOf(declared: DeclaredOf, lastUsedAt: number | undefined): CredentialView {
    const { id, consumer, kind, publicKey, expiresAtMs: expiresAt, notBeforeMs: notBefore } = declared;
    const revokedAt = this.#revocations.credential(id)?.at;
    const state = this.#stateOf({ notBefore, expiresAt, revokedAt });
    const made = { createdAt: undefined, createdBy: undefined, successor: undefined };
    const times = { notBefore, expiresAt, revokedAt, lastUsedAt };
    return { id, consumer, kind, origin: 'document', shown: publicKey, state, ...made, ...times };
  }

  #viewLive(row: CredentialEntry & { readonly lastUsedAt?: number | undefined }): CredentialView {
    const { id, consumer, kind, shown, createdAt, createdBy, notBefore, expiresAt, revokedAt, successor } =
      row;
    const state = this.#stateOf(row);
    const times = { createdAt, createdBy, notBefore, expiresAt, revokedAt, lastUsedAt: row.lastUsedAt };
    return { id, consumer, kind, origin: 'live', shown, state, ...times, successor };
  }

  #stateOf({
    notBefore = 0,
    expiresAt = Number.POSITIVE_INFINITY,
    revokedAt,
  }: Record<'notBefore' | 'expiresAt' | 'revokedAt', number | undefined>): CredentialView['state'] {
    if (revokedAt !== undefined) return 'revoked';
    if (expiresAt <= this.#book.now) return 'expired';
    return this.#book.now < notBefore ? 'early' : 'active';
  }

  get #store(): ConsumerStore {
    return this.#book.store.consumers;
  }
}

const isoOrNull = (ms: number | undefined): string | null =>
  ms === undefined ? null : new Date(ms).toISOString();

const noCredential = (id: string): ProblemError =>
  new ProblemError('not-found', `There is no credential "${id}".`);
