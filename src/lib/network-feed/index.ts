import { parseCidr } from '../cidr.ts';
import { NetworkColumns } from '../cidr-boundaries.ts';
import { SortedNetworks } from '../sorted-networks.ts';
import type { Steps } from '../steps.ts';
import { jsonRows } from './json.ts';
import { plainRows } from './plain.ts';
import { type FeedFault, type FeedRow, isFault } from './row.ts';

export type { FeedFault } from './row.ts';

/** How a feed writes its networks. */
export interface FeedForm {
  /**
   * `plain`: one network a line, comments after `#` or `;` (FireHOL netsets, Spamhaus DROP); `json`: one array, or one
   * object a line (Spamhaus DROP). `auto` tells by the first character.
   */
  readonly format: 'auto' | 'plain' | 'json';
  /** Member of the JSON object that holds the array; undefined where the array is the whole text. */
  readonly items: string | undefined;
  /** Members of each JSON object that may hold a network; those that are there must. */
  readonly fields: readonly string[];
  /** More networks are refused. */
  readonly maxEntries: number;
}

/** Rows done between two turns of others. */
const STEP = 512;

/**
 * Reads a feed, whole or not at all: a row that cannot be read refuses all of it, since nobody can say what a skipped
 * one was to keep out. A text without networks is an empty list.
 */
export function* readFeed(bytes: Uint8Array, form: FeedForm): Steps<SortedNetworks | FeedFault> {
  const text = decode(bytes);
  if (typeof text !== 'string') return text;
  const [v4, v6] = [new NetworkColumns(1), new NetworkColumns(4)];
  let done = 0;
  for (const row of rowsOf(text, form)) {
    if (++done % STEP === 0) yield;
    if (isFault(row)) return row;
    const network = parseCidr(row.text);
    if ('fault' in network) {
      return { fault: 'unparsable', message: `${row.place}: ${quoted(row.text)} ${network.fault}` };
    }
    (network.family === 4 ? v4 : v6).add(network, 0);
    if (v4.count + v6.count > form.maxEntries) {
      return { fault: 'too-many', message: `it has more than ${form.maxEntries} entries` };
    }
  }
  return yield* SortedNetworks.of(v4, v6);
}

function decode(bytes: Uint8Array): string | FeedFault {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { fault: 'not-text', message: 'it is no UTF-8 text' };
  }
}

function rowsOf(text: string, form: FeedForm): Iterable<FeedRow | FeedFault> {
  const first = /\S/.exec(text)?.[0];
  if (first === '<') return [{ fault: 'html', message: 'it is HTML or XML, no list' }];
  const looksJson = first === '[' || first === '{';
  return form.format === 'json' || looksJson ? jsonRows(text, form) : plainRows(text);
}

/** How much of a faulty row is repeated. */
const MAX_QUOTED = 64;

const quoted = (text: string): string =>
  JSON.stringify(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text);
