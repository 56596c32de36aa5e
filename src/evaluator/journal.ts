import type { EditJournal } from '../contract/index.ts';
import { FieldKind, fieldKind, isFieldName, isFieldValue } from '../http1/index.ts';
import type { HeaderList } from '../lib/header-list.ts';

const NOTHING: readonly string[] = Object.freeze([]);

/** Written by the hop itself: a second copy would let the next reader choose where a message ends. */
const OF_THE_HOP: ReadonlySet<FieldKind> = new Set([
  FieldKind.HOST,
  FieldKind.CONTENT_LENGTH,
  FieldKind.TRANSFER_ENCODING,
  FieldKind.CONNECTION,
  FieldKind.UPGRADE,
  FieldKind.HOP_BY_HOP,
]);

/**
 * The edits of one request in the order asked, as flat triples: operation, name, value. Nothing is allocated
 * until a policy edits. A mark and a rewind take back what a failing policy had asked.
 */
export class Journal implements EditJournal {
  #request: string[] | undefined = undefined;
  #response: string[] | undefined = undefined;

  setRequestHeader(name: string, value: string): void {
    checkField(name, value);
    this.#request ??= [];
    this.#request.push('set', name, value);
  }

  removeRequestHeader(name: string): void {
    this.#request ??= [];
    this.#request.push('remove', name, '');
  }

  setResponseHeader(name: string, value: string): void {
    checkField(name, value);
    this.#response ??= [];
    this.#response.push('set', name, value);
  }

  appendResponseHeader(name: string, value: string): void {
    checkField(name, value);
    this.#response ??= [];
    this.#response.push('append', name, value);
  }

  removeResponseHeader(name: string): void {
    this.#response ??= [];
    this.#response.push('remove', name, '');
  }

  get requestEdits(): readonly string[] {
    return this.#request ?? NOTHING;
  }

  get responseEdits(): readonly string[] {
    return this.#response ?? NOTHING;
  }

  /** A point to rewind to. */
  mark(): number {
    return (this.#request?.length ?? 0) * 0x10000 + (this.#response?.length ?? 0);
  }

  rewind(mark: number): void {
    if (this.#request !== undefined) this.#request.length = Math.floor(mark / 0x10000);
    if (this.#response !== undefined) this.#response.length = mark % 0x10000;
  }
}

/**
 * Throws TypeError for a field that may not stand in a head. Whatever made the value (a claim, a template), CR and
 * LF must not split a message: the policy fails instead.
 */
function checkField(name: string, value: string): void {
  if (!isFieldName(name)) throw new TypeError('a header name is not a token');
  if (OF_THE_HOP.has(fieldKind(name)))
    throw new TypeError(`the header "${name}" is the gateway's own to set`);
  if (!isFieldValue(value))
    throw new TypeError(`the value for header "${name}" has characters a header cannot carry`);
}

/** A refusal's or answer's own fields go into a head as they are: throws TypeError where they may not. */
export function checkFields(flat: readonly string[]): void {
  for (let i = 0; i < flat.length; i += 2) checkField(flat[i], flat[i + 1]);
}

/** Applies flat edit triples to a list, in order. */
export function applyEdits(headers: HeaderList, edits: readonly string[]): void {
  for (let i = 0; i < edits.length; i += 3) {
    if (edits[i] === 'remove') headers.delete(edits[i + 1]);
    else if (edits[i] === 'set') headers.set(edits[i + 1], edits[i + 2]);
    else headers.append(edits[i + 1], edits[i + 2]);
  }
}
