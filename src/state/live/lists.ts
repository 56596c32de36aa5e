import type { AddressList, AddressLists, ListContent } from '../../contract/index.ts';
import { PolicyFailure } from '../../errors.ts';
import { formatCidr, networkOf } from '../../lib/cidr.ts';
import { CidrSet } from '../../lib/cidr-set.ts';
import type { AddressWords } from '../../lib/ip-address.ts';

/**
 * What a list that was never loaded says: traffic is not decided by it (`undecided`), the tests of a document are as
 * by a list without entries (`empty`).
 */
export type Unloaded = 'undecided' | 'empty';

export class CurrentLists implements AddressLists {
  readonly #unloaded: Unloaded;
  readonly #lists = new Map<string, CurrentList>();

  constructor(unloaded: Unloaded) {
    this.#unloaded = unloaded;
  }

  list(name: string): CurrentList {
    let list = this.#lists.get(name);
    if (list === undefined) {
      list = new CurrentList(name, this.#unloaded);
      this.#lists.set(name, list);
    }
    return list;
  }
}

class CurrentList implements AddressList {
  readonly #name: string;
  readonly #unloaded: Unloaded;
  #set: CidrSet | undefined = undefined;
  #content: ListContent | undefined = undefined;

  constructor(name: string, unloaded: Unloaded) {
    this.#name = name;
    this.#unloaded = unloaded;
  }

  get version(): string | undefined {
    return this.#content?.version;
  }

  replace(content: ListContent | undefined): void {
    this.#set = content === undefined ? undefined : CidrSet.shared(content.networks);
    this.#content = content;
  }

  lookup(address: AddressWords): number {
    if (this.#set !== undefined) return this.#set.lookup(address);
    if (this.#unloaded === 'empty') return -1;
    throw new PolicyFailure(
      'list-unavailable',
      'What decides about addresses is not loaded yet.',
      `the list "${this.#name}" was never loaded`,
    );
  }

  describe(entry: number, address: AddressWords): string {
    const prefix = this.#content?.prefixes[entry - 1];
    return prefix === undefined ? `entry ${entry}` : formatCidr(networkOf(address, prefix));
  }
}
