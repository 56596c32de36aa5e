import { addedLines, applyEdits, isAddition } from '../evaluator/index.ts';
import { type ConnectionOptions, type FieldKind, fieldLines } from '../http1/index.ts';
import { differsInMarks, HeaderList } from '../lib/header-list.ts';

/** A parsed message's fields, as far as forwarding them needs. */
export interface FieldSource {
  readonly headers: HeaderList;
  readonly kinds: readonly FieldKind[];
  readonly connection: ConnectionOptions;
}

/** Which kinds of fields go on to the next hop. */
export type TravelTable = Uint8Array;

export function travelTable(kinds: readonly FieldKind[]): TravelTable {
  const table = new Uint8Array(16);
  for (const kind of kinds) table[kind] = 1;
  return table;
}

/** In lower case; `-` is one of them, and stays. */
const OTHER_MARKS = /[^a-z0-9-]/g;
/** No names that only the gateway may say, beside those of known kinds. */
export const NO_NAMES: ReadonlySet<string> = new Set();

/**
 * The field lines that go on to the next hop: without what is for this hop only (RFC 9110 §7.6.1) and what only the
 * gateway may say (`owned`: lower case, `-` for `_`), with `added` and then the policies' edits. Removal comes first,
 * so that `Connection: x` can never take away what a policy or the gateway sets.
 */
export function travellingFields(
  source: FieldSource,
  table: TravelTable,
  added: readonly string[],
  edits: readonly string[],
  owned: ReadonlySet<string> = NO_NAMES,
): string {
  const { nominated } = source.connection;
  if (nominated.length === 0 && owned.size === 0) {
    const lines = addedLines(edits);
    if (lines !== undefined) return plainFields(source, table) + fieldLines(added) + lines;
  }
  const { kinds } = source;
  const { flat } = source.headers;
  // A set, since a sender can name thousands: comparing each with each field would hold the worker.
  const dropped = nominated.length === 0 ? undefined : new Set(nominated);
  const kept: string[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    if (table[kinds[i >> 1]] !== 1) continue;
    const name = flat[i].toLowerCase();
    // Servers of CGI's kind read every mark in a name as `_`: all its spellings are one name to them.
    if (owned.size > 0 && owned.has(name.replace(OTHER_MARKS, '-'))) continue;
    if (dropped?.has(name) !== true && !isEditedOtherwise(name, edits)) kept.push(flat[i], flat[i + 1]);
  }
  for (const text of added) kept.push(text);
  applyEdits(new HeaderList(kept), edits);
  return fieldLines(kept);
}

/**
 * Whether a field has a name that edits set or remove, in another spelling: what a client says as `x.user` where a policy
 * says `x-user`, some servers take for what the policy said.
 */
function isEditedOtherwise(name: string, edits: readonly string[]): boolean {
  for (let i = 0; i < edits.length; i += 3)
    if (!isAddition(edits[i]) && differsInMarks(name, edits[i + 1])) return true;
  return false;
}

/**
 * The trailer fields that go on to the next hop: none that the sender's Connection named, none that only the gateway
 * may say or a policy has set or removed, or a sender could say behind the body what the head may not; and none with
 * `_`, which servers that fold it with `-` would read as one of those.
 */
export function travellingTrailers(
  trailers: readonly string[],
  { nominated }: ConnectionOptions,
  edits: readonly string[],
  owned: ReadonlySet<string> = NO_NAMES,
): readonly string[] {
  if (trailers.length === 0) return trailers;
  const dropped = new Set(nominated);
  for (let i = 1; i < edits.length; i += 3) dropped.add(edits[i].toLowerCase());
  const kept: string[] = [];
  for (let i = 0; i < trailers.length; i += 2) {
    const name = trailers[i].toLowerCase();
    if (dropped.has(name) || name.includes('_') || isEditedOtherwise(name, edits)) continue;
    if (!owned.has(name.replace(OTHER_MARKS, '-'))) kept.push(trailers[i], trailers[i + 1]);
  }
  return kept;
}

function plainFields(source: FieldSource, table: TravelTable): string {
  const { kinds } = source;
  const { flat } = source.headers;
  let text = '';
  for (let i = 0; i < flat.length; i += 2) {
    if (table[kinds[i >> 1]] === 1) text += `${flat[i]}: ${flat[i + 1]}\r\n`;
  }
  return text;
}
