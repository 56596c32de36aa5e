import type { EditJournal, NumberedField } from '../contract/index.ts';
import { InternalError } from '../errors.ts';
import { FieldKind, fieldKind, isFieldName, isFieldValue } from '../http1/index.ts';
import { withoutCookie } from '../lib/cookie.ts';
import { type HeaderList, sameName } from '../lib/header-list.ts';

const NOTHING: readonly string[] = Object.freeze([]);
const LINE_END = '\r\n';
/** More edits than any policies ask for. */
const PLACES = 0x10000;

/** Written by the hop itself: a second copy would let the next reader choose where a message ends. */
const OF_THE_HOP: ReadonlySet<FieldKind> = new Set([
  FieldKind.HOST,
  FieldKind.CONTENT_LENGTH,
  FieldKind.TRANSFER_ENCODING,
  FieldKind.CONNECTION,
  FieldKind.UPGRADE,
  FieldKind.HOP_BY_HOP,
]);

/** Names that may be edited. Policies say the same few with each request, which are then looked at once. */
const SOUND_NAMES = new Set<string>();
const MAX_SOUND_NAMES = 500;

/**
 * The edits of one request in the order asked, as flat triples: operation, name, value. What is appended as `line` has
 * the whole line in place of the value. Nothing is allocated
 * until a policy edits. A mark and a rewind take back what a failing policy had asked.
 */
export class Journal implements EditJournal {
  #request: string[] | undefined = undefined;
  #response: string[] | undefined = undefined;
  #parameters: string[] | undefined = undefined;

  setRequestHeader(name: string, value: string): void {
    checkField(name, value);
    this.#request ??= [];
    this.#request.push('set', name, value);
  }

  removeRequestHeader(name: string): void {
    this.#request ??= [];
    this.#request.push('remove', name, '');
  }

  /** Noted under the field it edits, so that a `Cookie` in the trailers goes with it. */
  removeRequestCookie(name: string): void {
    this.#request ??= [];
    this.#request.push('remove-cookie', 'cookie', name);
  }

  removeQueryParameter(name: string): void {
    this.#parameters ??= [];
    this.#parameters.push(name);
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

  appendResponseField(field: NumberedField, numbers: readonly number[]): void {
    const sound = field instanceof SoundField ? field : new SoundField(field);
    this.#response = withEdit(this.#response, 'line', sound.name, sound.line(numbers));
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

  /** Names of the parameters that the upstream's query is without. */
  get removedParameters(): readonly string[] {
    return this.#parameters ?? NOTHING;
  }

  /** Asks another journal for the same, in the same order. */
  replay(into: EditJournal): void {
    const { requestEdits: request, responseEdits: response } = this;
    for (let i = 0; i < request.length; i += 3) {
      if (request[i] === 'set') into.setRequestHeader(request[i + 1], request[i + 2]);
      else askToRemove(request, i, into);
    }
    for (const name of this.removedParameters) into.removeQueryParameter(name);
    for (let i = 0; i < response.length; i += 3) {
      if (response[i] === 'set') into.setResponseHeader(response[i + 1], response[i + 2]);
      else if (response[i] === 'remove') into.removeResponseHeader(response[i + 1]);
      else into.appendResponseHeader(response[i + 1], addedValue(response, i));
    }
  }

  /** Asks another journal only for what the upstream is to be spared: a credential, what no client may say. */
  replayRemovals(into: EditJournal): void {
    const { requestEdits: request } = this;
    for (let i = 0; i < request.length; i += 3) if (request[i] !== 'set') askToRemove(request, i, into);
    for (const name of this.removedParameters) into.removeQueryParameter(name);
  }

  /** A point to rewind to: three lengths in one number, so that nothing is allocated before each policy. */
  mark(): number {
    const request = this.#request?.length ?? 0;
    const response = this.#response?.length ?? 0;
    return (request * PLACES + response) * PLACES + (this.#parameters?.length ?? 0);
  }

  rewind(mark: number): void {
    const headers = Math.floor(mark / PLACES);
    if (this.#request !== undefined) this.#request.length = Math.floor(headers / PLACES);
    if (this.#response !== undefined) this.#response.length = headers % PLACES;
    if (this.#parameters !== undefined) this.#parameters.length = mark % PLACES;
  }
}

/** Most have few: two make lists of their size, where a list that grows would take room for many more. */
function withEdit(edits: string[] | undefined, edit: string, name: string, value: string): string[] {
  if (edits === undefined) return [edit, name, value];
  if (edits.length === 3) return [edits[0], edits[1], edits[2], edit, name, value];
  edits.push(edit, name, value);
  return edits;
}

function askToRemove(edits: readonly string[], at: number, into: EditJournal): void {
  if (edits[at] === 'remove') into.removeRequestHeader(edits[at + 1]);
  else into.removeRequestCookie(edits[at + 2]);
}

/**
 * Throws TypeError for a field that may not stand in a head. Whatever made the value (a claim, a template), CR and
 * LF must not split a message: the policy fails instead.
 */
function checkField(name: string, value: string): void {
  if (!SOUND_NAMES.has(name)) checkName(name);
  if (!isFieldValue(value))
    throw new TypeError(`the value for header "${name}" has characters a header cannot carry`);
}

function checkName(name: string): void {
  if (!isFieldName(name)) throw new TypeError('a header name is not a token');
  if (OF_THE_HOP.has(fieldKind(name)))
    throw new TypeError(`the header "${name}" is the gateway's own to set`);
  if (SOUND_NAMES.size < MAX_SOUND_NAMES) SOUND_NAMES.add(name);
}

/** A field that may stand in a head whatever the numbers are. */
class SoundField implements NumberedField {
  readonly name: string;
  readonly texts: readonly string[];
  /** The line up to the first number, what follows each number but the last, and what ends the line. */
  readonly #start: string;
  readonly #ends: readonly string[];

  /** Throws TypeError where it may not. */
  constructor({ name, texts }: NumberedField) {
    checkField(name, texts.join('0'));
    this.name = name;
    this.texts = Object.freeze([...texts]);
    const [first = '', ...others] = texts;
    this.#start = inOnePiece(`${name}: ${first}${others.length === 0 ? LINE_END : ''}`);
    this.#ends = others.map((text, i) => (i === others.length - 1 ? inOnePiece(text + LINE_END) : text));
  }

  /** Short texts are joined before they get into the long one: it has fewer parts to be put together from. */
  line(numbers: readonly number[]): string {
    const ends = this.#ends;
    if (numbers.length !== ends.length)
      throw new InternalError(`${this.name}: not as many numbers as places`);
    let line = this.#start;
    for (let i = 0; i < ends.length; i++) line += `${numbers[i]}${ends[i]}`;
    return line;
  }
}

/** V8 keeps what was put together as its parts, and would walk through them each time that it is written. */
const inOnePiece = (latin1: string): string => Buffer.from(latin1, 'latin1').toString('latin1');

/** A field to be appended again and again, looked through once. Throws TypeError for what may not stand in a head. */
export const numberedField = (name: string, texts: readonly string[]): NumberedField =>
  new SoundField({ name, texts });

/** A refusal's or answer's own fields go into a head as they are: throws TypeError where they may not. */
export function checkFields(flat: readonly string[]): void {
  for (let i = 0; i < flat.length; i += 2) checkField(flat[i], flat[i + 1]);
}

/** What edits add, as lines in their order, where adding is all they do; else undefined. */
export function addedLines(edits: readonly string[]): string | undefined {
  let lines = '';
  for (let i = 0; i < edits.length; i += 3) {
    if (edits[i] === 'line') lines += edits[i + 2];
    else if (edits[i] === 'append') lines += `${edits[i + 1]}: ${edits[i + 2]}${LINE_END}`;
    else return undefined;
  }
  return lines;
}

/** Whether the edit adds a field and leaves all others as they are. */
export const isAddition = (edit: string): boolean => edit === 'append' || edit === 'line';

function addedValue(edits: readonly string[], at: number): string {
  const text = edits[at + 2];
  return edits[at] === 'line' ? text.slice(edits[at + 1].length + 2, -LINE_END.length) : text;
}

/** Applies flat edit triples to a list, in order. */
export function applyEdits(headers: HeaderList, edits: readonly string[]): void {
  for (let i = 0; i < edits.length; i += 3) {
    if (edits[i] === 'remove') headers.delete(edits[i + 1]);
    else if (edits[i] === 'set') headers.set(edits[i + 1], edits[i + 2]);
    else if (edits[i] === 'remove-cookie') removeCookie(headers, edits[i + 2]);
    else headers.append(edits[i + 1], addedValue(edits, i));
  }
}

/** A `Cookie` field that held nothing else goes as well. */
function removeCookie({ flat }: HeaderList, name: string): void {
  let kept = 0;
  for (let i = 0; i < flat.length; i += 2) {
    const value = sameName(flat[i], 'cookie') ? withoutCookie(flat[i + 1], name) : undefined;
    if (value === '' && flat[i + 1] !== '') continue;
    flat[kept++] = flat[i];
    flat[kept++] = value ?? flat[i + 1];
  }
  flat.length = kept;
}
