import type { CanaryCohort } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { CidrSet } from '../../lib/cidr-set.ts';
import type { IpAddress } from '../../lib/ip-address.ts';

/** What a cohort looks at in a request. */
export interface CohortCandidate {
  /** Of the active revision; '' for none. */
  readonly route: string;
  readonly client: IpAddress;
  readonly consumer: string | undefined;
}

/** Whose requests are looked at in a trial at all. Of those, the place of the caller says by which revision. */
export class Cohort {
  readonly share: number;
  readonly #consumers: ReadonlySet<string> | undefined;
  readonly #routes: ReadonlySet<string> | undefined;
  readonly #networks: CidrSet | undefined;

  /** Throws InternalError for a network that cannot be read: documents were checked long before. */
  constructor({ share, consumers, routes, addresses }: CanaryCohort) {
    this.share = share;
    this.#consumers = consumers.length === 0 ? undefined : new Set(consumers);
    this.#routes = routes.length === 0 ? undefined : new Set(routes);
    this.#networks = addresses.length === 0 ? undefined : networksOf(addresses);
  }

  /** Whether the request is one of those that are compared. */
  holds({ route, client, consumer }: CohortCandidate): boolean {
    if (this.#routes !== undefined && !this.#routes.has(route)) return false;
    if (this.#networks !== undefined && this.#networks.lookup(client) === -1) return false;
    return this.#consumers === undefined || (consumer !== undefined && this.#consumers.has(consumer));
  }
}

function networksOf(addresses: readonly string[]): CidrSet {
  return CidrSet.from(
    addresses.map((text, value) => {
      const network = parseCidr(text);
      if ('fault' in network) throw new InternalError(`a cohort names ${text}, which is no network`);
      return { network, value };
    }),
  );
}
