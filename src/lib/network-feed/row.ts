/** What a feed says in one place. */
export interface FeedRow {
  /** A network, not looked at yet. */
  readonly text: string;
  /** Where it stands, for people: `line 3`, `item 3`. */
  readonly place: string;
}

/**
 * Why a feed is refused.
 * - `html`: a page in place of the list: an error, a login, a captive portal
 * - `not-text`: not UTF-8, perhaps compressed
 * - `unparsable`: a row that is no network
 * - `truncated`: it says itself that it should hold more
 * - `too-many`: over the bound of entries
 */
export interface FeedFault {
  readonly fault: 'html' | 'not-text' | 'unparsable' | 'truncated' | 'too-many';
  /** With the place. Says nothing of the feed but a bounded piece of the faulty row. */
  readonly message: string;
}

export const isFault = (row: FeedRow | FeedFault): row is FeedFault => 'fault' in row;

/** The lines that say something, without white space around, each with its number from 1. */
export function* linesOf(text: string): Generator<readonly [number: number, line: string]> {
  let number = 0;
  for (let start = 0; start < text.length; ) {
    const feed = text.indexOf('\n', start);
    const end = feed === -1 ? text.length : feed;
    number++;
    const line = text.slice(start, end).trim();
    if (line !== '') yield [number, line];
    start = end + 1;
  }
}
