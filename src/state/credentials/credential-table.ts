import type { Consumer, CredentialKind } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';
import { credentialId, idWords, textOfConsumer } from './encoding.ts';
import {
  allocateBuffers,
  CONSUMER,
  CONSUMER_KIND,
  type CredentialBuffers,
  DISABLED,
  ENTRY_WORDS,
  EXPIRES,
  FREE_KIND,
  ID,
  KEY,
  KEY_WORDS,
  KIND,
  KIND_MASK,
  MAX_ENTRIES,
  NOT_BEFORE,
  OF_DOCUMENT,
  TEXT,
  VERSION,
  wordsOf,
} from './layout.ts';
import { CODES, digestOf, readDigest } from './lookup-key.ts';
import { TableIndex } from './table-index.ts';
import { NONE, TableView } from './table-view.ts';
import { TextHeap } from './text-heap.ts';

/** A consumer as the data side needs it. */
export interface TableConsumer extends Consumer {
  readonly isDisabled: boolean;
  /** One of the document: here for its live credentials only. */
  readonly isOfDocument: boolean;
}

/** A credential as the data side needs it. */
export interface TableCredential {
  /** `cr-` and 16 hexadecimal digits. */
  readonly id: string;
  /** Name of a consumer that was put before. */
  readonly consumer: string;
  readonly kind: CredentialKind;
  /** As `ConsumerDirectory.find` has it. */
  readonly key: string;
  /** Milliseconds since the epoch, like `notBeforeMs`; kept in whole seconds, rounded down. */
  readonly expiresAtMs: number | undefined;
  readonly notBeforeMs: number | undefined;
  readonly verifier: string | undefined;
}

export interface TableStats {
  readonly consumers: number;
  readonly credentials: number;
  /** Memory taken, what it may still grow into not counted. */
  readonly bytes: number;
}

/**
 * Live consumers and credentials in memory that all threads share. One thread owns it and calls the methods here;
 * each takes effect for every reader at once, before it returns. Throws InternalError for misuse and for more than
 * 16 million entries.
 */
export class CredentialTable {
  readonly buffers: CredentialBuffers = allocateBuffers();
  readonly #texts = new TextHeap(this.buffers.texts);
  readonly #view = new TableView(this.buffers);
  readonly #index = new TableIndex(this.buffers, () => this.#entries);
  readonly #key = new Int32Array(KEY_WORDS);
  #entries = wordsOf(this.buffers.entries);
  /** Numbers given out so far, those that are free again included. */
  #end = 0;
  /** The first free entry, or NONE; each names the next. */
  #free = NONE;
  #consumers = 0;
  #credentials = 0;
  /** Which entries were put since a sweep has begun, by number. */
  #put: Uint8Array | undefined;
  /** Whose credential was put last; forgotten when consumers come or go. */
  #lastOwner: { readonly name: string; readonly number: number } | undefined;

  get stats(): TableStats {
    const { index, entries, texts } = this.buffers;
    const bytes = index.byteLength + entries.byteLength + texts.byteLength;
    return { consumers: this.#consumers, credentials: this.#credentials, bytes };
  }

  /** Makes room for so many more entries at once: cheaper than growing by and by. */
  reserve(entries: number): void {
    this.#reach(this.#end + entries);
    this.#index.reserve(this.#consumers + this.#credentials + entries);
  }

  hasConsumer(name: string): boolean {
    return this.#owner(name) !== NONE;
  }

  /** Whether it is here and, while the table is swept, was put since that has begun. */
  hasCurrentConsumer(name: string): boolean {
    const number = this.#owner(name);
    return number !== NONE && (this.#put === undefined || this.#put[number] === 1);
  }

  /** Puts a consumer, or changes the one of that name. */
  putConsumer(consumer: TableConsumer): void {
    this.#lastOwner = undefined;
    const known = this.#find('consumer', consumer.name);
    const text = this.#texts.put(textOfConsumer(consumer));
    const number = known === NONE ? this.#take() : known;
    const at = number * ENTRY_WORDS;
    const before = known === NONE ? 0 : this.#entries[at + TEXT];
    const flags = (consumer.isDisabled ? DISABLED : 0) | (consumer.isOfDocument ? OF_DOCUMENT : 0);
    this.#begin(number);
    this.#set(at + KIND, CONSUMER_KIND | flags);
    this.#setKey(at);
    if (known === NONE) this.#set(at + CONSUMER, 0);
    this.#set(at + TEXT, text);
    this.#commit(number);
    this.#texts.drop(before);
    this.#notePut(number);
    if (known !== NONE) return;
    this.#consumers++;
    this.#index.add(number);
  }

  /** Removes a consumer whose credentials were removed before; false: there was none. */
  removeConsumer(name: string): boolean {
    this.#lastOwner = undefined;
    const number = this.#find('consumer', name);
    if (number === NONE) return false;
    // They would be another's once this entry is used again.
    if (this.#entries[number * ENTRY_WORDS + CONSUMER] !== 0) {
      throw new InternalError(`the consumer "${name}" still has credentials`);
    }
    this.#remove(number);
    this.#consumers--;
    return true;
  }

  /** Puts a credential, or changes the one of that kind and key. */
  putCredential(credential: TableCredential): void {
    const owner = this.#owner(credential.consumer);
    if (owner === NONE) throw new InternalError(`there is no consumer "${credential.consumer}"`);
    const [high, low] = idWords(credential.id);
    const known = this.#find(credential.kind, credential.key);
    const text = credential.verifier === undefined ? 0 : this.#texts.put(credential.verifier);
    const number = known === NONE ? this.#take() : known;
    const at = number * ENTRY_WORDS;
    const before = known === NONE ? 0 : this.#entries[at + TEXT];
    if (known !== NONE) this.#count(this.#entries[at + CONSUMER], -1);
    this.#begin(number);
    this.#set(at + KIND, CODES[credential.kind]);
    this.#setKey(at);
    this.#set(at + CONSUMER, owner);
    this.#set(at + ID, high);
    this.#set(at + ID + 1, low);
    this.#set(at + EXPIRES, secondsOf(credential.expiresAtMs));
    this.#set(at + NOT_BEFORE, secondsOf(credential.notBeforeMs));
    this.#set(at + TEXT, text);
    this.#commit(number);
    this.#count(owner, 1);
    this.#texts.drop(before);
    this.#notePut(number);
    if (known !== NONE) return;
    this.#credentials++;
    this.#index.add(number);
  }

  /** False: there was none. */
  removeCredential(kind: CredentialKind, key: string): boolean {
    const number = this.#find(kind, key);
    if (number === NONE) return false;
    this.#removeCredential(number);
    return true;
  }

  /** Removes the credentials of a consumer but for those with these ids. Looks through the whole table. */
  keepCredentialsOf(consumer: string, ids: ReadonlySet<string>): void {
    const owner = this.#owner(consumer);
    if (owner === NONE) return;
    for (let number = 0; number < this.#end; number++) {
      const at = number * ENTRY_WORDS;
      if (!this.#isCredential(number) || this.#entries[at + CONSUMER] !== owner) continue;
      if (!ids.has(credentialId(this.#entries[at + ID], this.#entries[at + ID + 1]))) {
        this.#removeCredential(number);
      }
    }
  }

  /** From now on it is noted what is put. The function it gives removes all that was not, and says how many these were. */
  beginSweep(): () => number {
    const put = new Uint8Array(MAX_ENTRIES);
    this.#put = put;
    return () => {
      this.#put = undefined;
      return this.#removeBut(put);
    };
  }

  #removeBut(put: Uint8Array): number {
    const before = this.#consumers + this.#credentials;
    for (let number = 0; number < this.#end; number++) {
      if (put[number] === 0 && this.#isCredential(number)) this.#removeCredential(number);
    }
    for (let number = 0; number < this.#end; number++) {
      const at = number * ENTRY_WORDS;
      const isConsumer = (this.#entries[at + KIND] & KIND_MASK) === CONSUMER_KIND;
      // One of the document is there for its credentials only.
      if (!isConsumer || put[number] !== 0 || this.#entries[at + CONSUMER] !== 0) continue;
      this.#remove(number);
      this.#consumers--;
    }
    this.#lastOwner = undefined;
    return before - this.#consumers - this.#credentials;
  }

  #isCredential(number: number): boolean {
    const kind = this.#entries[number * ENTRY_WORDS + KIND] & KIND_MASK;
    return kind !== FREE_KIND && kind !== CONSUMER_KIND;
  }

  #removeCredential(number: number): void {
    this.#count(this.#entries[number * ENTRY_WORDS + CONSUMER], -1);
    this.#remove(number);
    this.#credentials--;
  }

  #notePut(number: number): void {
    if (this.#put !== undefined) this.#put[number] = 1;
  }

  /** Readers take it for nothing from the commit on; that its place is given up is for later searches. */
  #remove(number: number): void {
    const at = number * ENTRY_WORDS;
    const text = this.#entries[at + TEXT];
    this.#begin(number);
    this.#set(at + KIND, FREE_KIND);
    this.#set(at + TEXT, 0);
    this.#set(at + CONSUMER, this.#free);
    this.#commit(number);
    this.#free = number;
    this.#index.remove(number);
    this.#texts.drop(text);
  }

  /** A free entry, whose places are given up. */
  #take(): number {
    if (this.#free !== NONE) {
      const number = this.#free;
      this.#free = this.#entries[number * ENTRY_WORDS + CONSUMER];
      return number;
    }
    if (this.#end >= MAX_ENTRIES) throw new InternalError('there are too many live credentials');
    this.#reach(this.#end + 1);
    return this.#end++;
  }

  #reach(entries: number): void {
    const { entries: buffer } = this.buffers;
    const bytes = entries * ENTRY_WORDS * 4;
    if (bytes <= buffer.byteLength) return;
    buffer.grow(Math.min(Math.max(bytes, buffer.byteLength * 2), buffer.maxByteLength));
    this.#entries = wordsOf(buffer);
  }

  /** Credentials often come by consumer. */
  #owner(name: string): number {
    if (name !== this.#lastOwner?.name) this.#lastOwner = { name, number: this.#find('consumer', name) };
    return this.#lastOwner.number;
  }

  /** Leaves the key's words at hand. */
  #find(kind: CredentialKind | 'consumer', key: string): number {
    return this.#view.find(CODES[kind], this.#digestOf(kind, key));
  }

  #digestOf(kind: CredentialKind | 'consumer', key: string): string {
    const digest = digestOf(kind, key);
    if (digest !== undefined && readDigest(digest, this.#key)) return digest;
    throw new InternalError(`this can be no key of ${kind}`);
  }

  /** Of what was last looked for. */
  #setKey(at: number): void {
    for (let i = 0; i < KEY_WORDS; i++) this.#set(at + KEY + i, this.#key[i]);
  }

  /** How many credentials a consumer has: for this thread only, so its version stays. */
  #count(consumer: number, change: 1 | -1): void {
    const at = consumer * ENTRY_WORDS + CONSUMER;
    this.#set(at, this.#entries[at] + change);
  }

  /** From here to `#commit` readers of the entry wait. Nothing between may throw. */
  #begin(number: number): void {
    Atomics.add(this.#entries, number * ENTRY_WORDS + VERSION, 1);
  }

  #commit(number: number): void {
    Atomics.add(this.#entries, number * ENTRY_WORDS + VERSION, 1);
  }

  #set(word: number, value: number): void {
    Atomics.store(this.#entries, word, value);
  }
}

/** A time before 1970 or after 2106 is none that a credential has. */
const secondsOf = (ms: number | undefined): number =>
  ms === undefined ? 0 : Math.min(Math.max(Math.floor(ms / 1000), 1), 0xff_ff_ff_ff) | 0;
