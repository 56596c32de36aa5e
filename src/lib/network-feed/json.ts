import { parseStrictJson } from '../strict-json.ts';
import { type FeedFault, type FeedRow, linesOf } from './row.ts';

interface JsonForm {
  readonly items: string | undefined;
  readonly fields: readonly string[];
}

const MAX_DEPTH = 16;

/** An array of texts or objects, alone or in an object's member; or one object a line. */
export function* jsonRows(text: string, { items, fields }: JsonForm): Generator<FeedRow | FeedFault> {
  if (items === undefined && !/^\s*\[/.test(text)) {
    yield* objectLines(text, fields);
    return;
  }
  const parsed = parseStrictJson(text, MAX_DEPTH);
  if ('fault' in parsed) {
    yield { fault: 'unparsable', message: `it is no sound JSON: ${parsed.fault}` };
    return;
  }
  const list = items === undefined ? parsed.value : memberOf(parsed.value, items);
  if (!Array.isArray(list)) {
    const where = items === undefined ? 'it' : `its member ${JSON.stringify(items)}`;
    yield { fault: 'unparsable', message: `${where} is no array` };
    return;
  }
  for (const [i, item] of list.entries()) yield* networksIn(item, `item ${i + 1}`, fields);
}

/** Spamhaus DROP: one network a line, and a last line about the list itself, which tells how many there are. */
function* objectLines(text: string, fields: readonly string[]): Generator<FeedRow | FeedFault> {
  let rows = 0;
  for (const [number, line] of linesOf(text)) {
    const parsed = parseStrictJson(line, MAX_DEPTH);
    if ('fault' in parsed) {
      yield { fault: 'unparsable', message: `line ${number} is no sound JSON: ${parsed.fault}` };
      return;
    }
    if (memberOf(parsed.value, 'type') === 'metadata') {
      const records = memberOf(parsed.value, 'records');
      if (typeof records !== 'number' || records === rows) continue;
      yield { fault: 'truncated', message: `it says that it has ${records} records, and has ${rows}` };
      return;
    }
    rows++;
    yield* networksIn(parsed.value, `line ${number}`, fields);
  }
}

function* networksIn(
  item: unknown,
  place: string,
  fields: readonly string[],
): Generator<FeedRow | FeedFault> {
  const named = fields.filter((field) => memberOf(item, field) !== undefined);
  const texts = typeof item === 'string' ? [item] : named.map((field) => memberOf(item, field));
  if (texts.length === 0) {
    yield {
      fault: 'unparsable',
      message: `${place} has no member ${fields.map((f) => `"${f}"`).join(' or ')}`,
    };
  }
  for (const text of texts) {
    if (typeof text === 'string') yield { text, place };
    else yield { fault: 'unparsable', message: `${place} holds a network that is no text` };
  }
}

/** An own member; never one that every object inherits. */
function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return Object.getOwnPropertyDescriptor(value, key)?.value;
}
