import type { AddressList, AddressLists } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { formatCidr } from '../../lib/cidr.ts';
import type { AddressWords } from '../../lib/ip-address.ts';
import { didYouMean } from '../../lib/suggest.ts';
import { TimedNetworks } from '../../lib/timed-networks.ts';
import type { DocumentLists, InlineEntry } from './lists.ts';

/** The lists as the policies of a document see them: what stands in the document itself before what is live. */
export function listHandles({ inline, feeds }: DocumentLists, live: AddressLists): AddressLists {
  const fed = new Set(feeds.map(({ name }) => name));
  const handles = new Map<string, AddressList>();
  for (const [name, entries] of inline) {
    // A list of unsound form has neither; its document is refused, and names of it are found all the same.
    const source = fed.has(name) || entries.length === 0 ? live.list(name) : undefined;
    handles.set(
      name,
      source !== undefined && entries.length === 0 ? source : new InlineList(entries, source),
    );
  }
  return {
    list(name) {
      const handle = handles.get(name);
      if (handle !== undefined) return handle;
      const suggestion = didYouMean(name, [...handles.keys()]) ?? 'declare it under lists';
      throw ConfigError.at('', `there is no list "${name}"`, suggestion);
    },
  };
}

/** Its entries are numbered before those of the source. */
class InlineList implements AddressList {
  readonly #entries: readonly InlineEntry[];
  readonly #networks: TimedNetworks;
  readonly #source: AddressList | undefined;

  constructor(entries: readonly InlineEntry[], source: AddressList | undefined) {
    this.#entries = entries;
    this.#networks = new TimedNetworks(entries);
    this.#source = source;
  }

  get version(): string | undefined {
    return this.#source?.version;
  }

  lookup(address: AddressWords, nowMs: number): number {
    const at = this.#networks.lookup(address, nowMs);
    if (at !== -1) return at + 1;
    const sourced = this.#source?.lookup(address, nowMs) ?? -1;
    return sourced === -1 ? -1 : sourced + this.#entries.length;
  }

  describe(entry: number, address: AddressWords): string {
    if (entry > this.#entries.length)
      return this.#source?.describe(entry - this.#entries.length, address) ?? '';
    const { network, why } = this.#entries[entry - 1];
    return why === '' ? formatCidr(network) : `${formatCidr(network)} (${why})`;
  }
}
