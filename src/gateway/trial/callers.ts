import type { Attachment, Identity, RequestView } from '../../contract/index.ts';
import { type IpAddress, networkKey } from '../../lib/ip-address.ts';
import { RecentMap } from '../../lib/recent-map.ts';
import type { CallerHash } from './caller-hash.ts';
import { PresentedCredentials } from './presented.ts';

/** Credentials whose consumers are remembered; those that were used least lately are forgotten. */
const MAX_KNOWN = 32_768;
/** Networks from which somebody has proved who they are. */
const MAX_VOUCHED = 8192;

/** Who sends a request, as far as is known before anybody has judged it. */
export interface Caller {
  /** The same for all that is one caller's. */
  readonly key: string;
  /**
   * Whom it is counted with. All that a network presents from which nobody has proved anything is one crowd: who makes up
   * credentials is no more than one caller.
   */
  readonly crowd: string;
  /** The consumer that its credential proved before; undefined for what nobody has proved yet. */
  readonly consumer: string | undefined;
  /** What to remember the consumer by; undefined where nothing was presented. */
  readonly mark: string | undefined;
}

/**
 * Tells callers apart: by the consumer where it is known, else by what they present, else by their address. The consumer
 * becomes known when a request has ended that proved it, so that a caller moves once at most with each credential.
 */
export class Callers {
  readonly #hash: CallerHash;
  readonly #presented: PresentedCredentials;
  /** Proved ones alone: a flood of made-up credentials drives out nobody. */
  readonly #known: RecentMap<string, string>;
  readonly #vouched = new RecentMap<string, true>(MAX_VOUCHED);

  constructor(hash: CallerHash, attachments: readonly Attachment[], maxKnown = MAX_KNOWN) {
    this.#hash = hash;
    this.#presented = new PresentedCredentials(attachments);
    this.#known = new RecentMap(maxKnown);
  }

  of(request: RequestView): Caller {
    const presented = this.#presented.of(request);
    const text = presented === '' ? this.#presented.cookiesOf(request) : presented;
    const mark = text === '' ? undefined : this.#hash.markOf(text);
    const consumer = mark === undefined ? undefined : this.#known.get(mark);
    if (consumer !== undefined) return named(`consumer ${consumer}`, consumer, mark);
    if (presented === '') return named(`address ${networkKey(request.client, 32, 64)}`, consumer, mark);
    const key = `credential ${mark}`;
    const network = networkOf(request.client);
    const crowd = this.#vouched.get(network) === true ? key : `network ${network}`;
    return { key, crowd, consumer, mark };
  }

  /** What a credential has proved now. A caller that goes by a name for having presented nothing has proved nothing. */
  learn(mark: string, identity: Identity | undefined, client: IpAddress): void {
    if (identity === undefined || identity.anonymous === true) return;
    const network = networkOf(client);
    if (this.#vouched.get(network) !== true) this.#vouched.set(network, true);
    if (this.#known.get(mark) !== identity.consumer) this.#known.set(mark, identity.consumer);
  }
}

/** Who has one address commonly has its neighbours as well. */
const networkOf = (client: IpAddress): string => networkKey(client, 24, 48);

const named = (key: string, consumer: string | undefined, mark: string | undefined): Caller => ({
  key,
  crowd: key,
  consumer,
  mark,
});
