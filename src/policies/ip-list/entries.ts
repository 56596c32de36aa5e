import type { CompileDeps } from '../../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../../errors.ts';
import type { CidrEntry } from '../../lib/cidr-set.ts';
import { readNetworkEntry, type WrittenEntry } from '../../lib/network-entry.ts';
import type { TimedNetwork } from '../../lib/timed-networks.ts';
import { readNetwork } from './network-list.ts';
import { GeoTerms, ListTerm, type TermEntry, type Terms, UNKNOWN } from './terms.ts';

/** The entries of `deny` or of `allow`, sorted by how they are found. */
export interface ReadEntries {
  /** What each is called in the record: its rule, and why it is there. */
  readonly names: readonly EntryName[];
  /** Networks that stay. */
  readonly plain: readonly CidrEntry[];
  /** Networks that count for a time, with the places of their entries. */
  readonly timed: readonly (TimedNetwork & TermEntry)[];
  readonly lists: readonly ListTerm[];
  readonly countries: ReadonlyMap<string, readonly TermEntry[]>;
  readonly systems: ReadonlyMap<number | typeof UNKNOWN, readonly TermEntry[]>;
}

export interface EntryName {
  readonly rule: string;
  readonly text: string;
  readonly why: string;
}

const STAYS = Number.POSITIVE_INFINITY;
const TERM = /^(list|country|asn):(.*)$/;
const SYSTEM = /^(0|[1-9][0-9]{0,9})$/;
const MAX_SYSTEM = 0xffffffff;

/** Reads entries; faults go to `issues`. */
export function readEntries(
  key: 'deny' | 'allow',
  written: readonly WrittenEntry[],
  deps: CompileDeps,
  issues: ConfigIssue[],
): ReadEntries {
  const reader = new EntryReader(key, deps, issues);
  for (const [index, entry] of written.entries()) reader.add(index, entry);
  return reader;
}

class EntryReader implements ReadEntries {
  readonly names: EntryName[] = [];
  readonly plain: CidrEntry[] = [];
  readonly timed: (TimedNetwork & TermEntry)[] = [];
  readonly lists: ListTerm[] = [];
  readonly countries = new Map<string, TermEntry[]>();
  readonly systems = new Map<number | typeof UNKNOWN, TermEntry[]>();
  readonly #key: 'deny' | 'allow';
  readonly #deps: CompileDeps;
  readonly #issues: ConfigIssue[];

  constructor(key: 'deny' | 'allow', deps: CompileDeps, issues: ConfigIssue[]) {
    this.#key = key;
    this.#deps = deps;
    this.#issues = issues;
  }

  add(index: number, written: WrittenEntry): void {
    const place = `${this.#key}[${index}]`;
    const entry = readNetworkEntry(written);
    if (entry === undefined) {
      this.#issues.push({ path: `${place}.expires`, message: 'is not a day of the calendar' });
      return;
    }
    const path = typeof written === 'string' ? place : `${place}.network`;
    const term = TERM.exec(entry.text);
    this.names.push({ rule: term === null ? place : entry.text, text: entry.text, why: entry.why });
    const { untilMs } = entry;
    if (term !== null) return this.#addTerm({ index, untilMs }, term[1], term[2], path);
    const network = readNetwork(entry.text, path, this.#key, this.#issues);
    if (network === undefined) return;
    if (untilMs === STAYS) this.plain.push({ network, value: index });
    else this.timed.push({ network, index, untilMs });
  }

  #addTerm(entry: TermEntry, kind: string, name: string, path: string): void {
    if (kind === 'list') this.#addList(entry, name, path);
    else if (kind === 'country') this.#addCountry(entry, name, path);
    else this.#addSystem(entry, name, path);
  }

  #addList(entry: TermEntry, name: string, path: string): void {
    try {
      this.lists.push(new ListTerm(entry, name, this.#deps.lists.list(name)));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#issues.push(...error.issues.map((issue) => ({ ...issue, path })));
    }
  }

  #addCountry(entry: TermEntry, code: string, path: string): void {
    if (code !== UNKNOWN && !/^[A-Z]{2}$/.test(code)) {
      const message = 'names no country: a code has two capital letters (ISO 3166-1)';
      this.#issues.push({ path, message, suggestion: 'write country:DE, or country:unknown' });
      return;
    }
    if (code === 'UK') {
      const message = 'would match nobody: UK is no code of ISO 3166-1';
      this.#issues.push({ path, message, suggestion: 'did you mean country:GB?' });
      return;
    }
    addTo(this.countries, code, entry);
  }

  #addSystem(entry: TermEntry, number: string, path: string): void {
    const isNumber = SYSTEM.test(number) && Number(number) <= MAX_SYSTEM;
    if (isNumber || number === UNKNOWN) {
      addTo(this.systems, number === UNKNOWN ? UNKNOWN : Number(number), entry);
      return;
    }
    const message = 'names no autonomous system: its number is at most 4294967295';
    this.#issues.push({ path, message, suggestion: 'write asn:64496, or asn:unknown' });
  }
}

function addTo<K>(entries: Map<K, TermEntry[]>, key: K, entry: TermEntry): void {
  const known = entries.get(key);
  if (known === undefined) entries.set(key, [entry]);
  else known.push(entry);
}

/** The entries that are no networks, ready to be asked. Rejects with ConfigError where a database is missing. */
export async function openTerms(
  key: 'deny' | 'allow',
  { lists, countries, systems }: ReadEntries,
  { geo }: CompileDeps,
): Promise<readonly Terms[]> {
  const terms: Terms[] = [...lists];
  try {
    if (countries.size > 0) {
      const lookup = await at(key, countries, () => geo.country());
      terms.push(new GeoTerms<string>('country', lookup, countries));
    }
    if (systems.size > 0) {
      terms.push(new GeoTerms<number>('asn', await at(key, systems, () => geo.asn()), systems));
    }
    return terms;
  } catch (error) {
    for (const term of terms) term.release();
    throw error;
  }
}

/** Tells a missing database at the first entry that needs it. */
async function at<T>(
  key: string,
  entries: ReadonlyMap<unknown, readonly TermEntry[]>,
  open: () => Promise<T>,
): Promise<T> {
  const first = Math.min(...[...entries.values()].flat().map(({ index }) => index));
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const issues = error.issues.map((issue) => ({ ...issue, path: `${key}[${first}]` }));
    throw new ConfigError(issues, { cause: error });
  }
}
