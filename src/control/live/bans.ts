import type { Ban, Clock, Gauge, Logger, Random } from '../../contract/index.ts';
import { type Cidr, formatCidr, holdsNetwork, networkOf, parseCidr } from '../../lib/cidr.ts';
import { parseIpAddress } from '../../lib/ip-address.ts';
import { isTooWide, SPECIAL_NETWORKS } from '../../lib/special-networks.ts';
import type { AuditEntry, Store } from '../../store/index.ts';

export interface BansDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Undefined while there is no usable store: bans then end with the process. */
  readonly store: () => Store | undefined;
  /** Brings all bans to every worker; resolves when all have them. */
  readonly publish: (bans: readonly Ban[]) => Promise<void>;
  /** The operator's own networks: what lists protect, proxies in front, addresses of this machine. */
  readonly own: () => readonly Cidr[];
  /** `sallyport_bans`. */
  readonly count: Gauge;
}

export interface BanRequest {
  /** An address or a network. Of a bare IPv6 address its /64 is banned, since one subscriber has them all. */
  readonly address: string;
  /** How long, in milliseconds. */
  readonly forMs: number;
  readonly reason: string;
  /** Who asks. */
  readonly actor: string;
  /** The address that the request came from. */
  readonly caller: string;
  /** Whether loopback, the operator's own and very wide networks may be banned. */
  readonly force: boolean;
}

/** A ban that cannot be: `invalid-request` for what is no ban, `conflict` for one that would do harm. */
export class BanError extends Error {
  override readonly name = 'BanError';
  readonly code: 'invalid-request' | 'conflict' | 'not-found';

  constructor(code: BanError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export interface BanResult {
  readonly ban: Ban;
  /** False: it is enforced, and ends with the process, since the store did not take it. */
  readonly stored: boolean;
}

const MAX_BANS = 10_000;
const MAX_BAN_MS = 366 * 86_400_000;
const MIN_BAN_MS = 1000;
const ID_BYTES = 6;
/** What a bare IPv6 address stands for. */
const SUBSCRIBER_BITS = 64;

/** Networks that are refused for a time. In force in every worker before the store has them: an emergency waits for no disk. */
export class Bans {
  readonly #deps: BansDeps;
  /** By network. */
  readonly #bans = new Map<string, Ban>();
  /** Networks whose ban the store does not have yet, and ids of bans that it still has. */
  readonly #unstored = new Set<string>();
  readonly #unremoved = new Set<string>();
  /** Changes here, begun and kept: what was read of the store meanwhile may not know of them. */
  #edits = 0;

  constructor(deps: BansDeps) {
    this.#deps = deps;
  }

  /** Takes up the bans that still stand. To be called before the first revision is served. */
  async load(): Promise<void> {
    const { store, clock } = this.#deps;
    const kept = await this.#try('bans-not-loaded', async () => await store()?.bans.active(clock.now()));
    for (const ban of kept ?? []) this.#bans.set(ban.network, ban);
    this.#deps.count.set(this.#bans.size);
    if (this.#bans.size > 0) await this.#enforce();
  }

  /**
   * Brings what the store does not have there, and takes up what it has by now: others ban as well, and lift. Rejects with
   * StoreError.
   */
  async refresh(): Promise<void> {
    const store = this.#deps.store();
    if (store === undefined) return;
    await this.#catchUp(store);
    const kept = await this.#read(store);
    for (const network of [...this.#bans.keys()]) {
      if (!this.#unstored.has(network)) this.#bans.delete(network);
    }
    for (const ban of kept) {
      if (!this.#unstored.has(ban.network) && !this.#unremoved.has(ban.id)) this.#bans.set(ban.network, ban);
    }
    await this.#enforce();
  }

  async #read(store: Store): Promise<readonly Ban[]> {
    for (;;) {
      const edits = this.#edits;
      const kept = await store.bans.active(this.#deps.clock.now());
      if (edits === this.#edits) return kept;
    }
  }

  async #catchUp(store: Store): Promise<void> {
    for (const network of this.#unstored) {
      const ban = this.#bans.get(network);
      if (ban !== undefined) await store.bans.put(ban);
      this.#unstored.delete(network);
    }
    for (const id of this.#unremoved) {
      await store.bans.remove(id);
      this.#unremoved.delete(id);
    }
  }

  /** Those that stand, newest first. */
  list(): readonly Ban[] {
    return this.#standing().sort((a, b) => b.sinceMs - a.sinceMs || (a.id < b.id ? -1 : 1));
  }

  /** Resolves when every worker refuses the network. A ban of the same network is replaced. @throws BanError */
  async ban(request: BanRequest): Promise<BanResult> {
    const network = this.#allowed(request);
    const { clock, random } = this.#deps;
    const sinceMs = clock.now();
    const { reason, actor: by } = request;
    const ban = { id: random.hex(ID_BYTES), network, sinceMs, untilMs: sinceMs + request.forMs, reason, by };
    if (!this.#bans.has(network) && this.#standing().length >= MAX_BANS) {
      throw new BanError(
        'conflict',
        `There are ${MAX_BANS} bans already: use an address list for that many.`,
      );
    }
    this.#bans.set(network, ban);
    this.#unstored.add(network);
    this.#edits++;
    await this.#enforce();
    const detail = { network, reason, until: new Date(ban.untilMs).toISOString(), forced: request.force };
    const put = async (s: Store): Promise<void> => {
      await s.bans.put(ban);
      if (this.#bans.get(network) === ban) this.#unstored.delete(network);
      this.#edits++;
    };
    const stored = await this.#keep(put, 'ban.add', by, ban.id, detail);
    this.#deps.log.warn('address-banned', { id: ban.id, network, reason, by, stored });
    return { ban, stored };
  }

  /** Ends a ban by its id, its network or an address that is that network. @throws BanError `not-found` */
  async lift(which: string, actor: string): Promise<Ban> {
    const ban = this.#find(which);
    if (ban === undefined) throw new BanError('not-found', 'There is no such ban.');
    this.#bans.delete(ban.network);
    this.#unstored.delete(ban.network);
    this.#unremoved.add(ban.id);
    this.#edits++;
    await this.#enforce();
    const detail = { network: ban.network };
    const remove = async (s: Store): Promise<void> => {
      await s.bans.remove(ban.id);
      this.#unremoved.delete(ban.id);
      this.#edits++;
    };
    await this.#keep(remove, 'ban.remove', actor, ban.id, detail);
    this.#deps.log.info('ban-lifted', { id: ban.id, network: ban.network, by: actor });
    return ban;
  }

  /** Lets go of those that are over. Workers know by themselves when a ban ends; this is for their memory. */
  async tick(): Promise<void> {
    const nowMs = this.#deps.clock.now();
    const over = [...this.#bans.values()].filter(({ untilMs }) => untilMs <= nowMs);
    if (over.length === 0) return;
    for (const { id, network } of over) {
      this.#bans.delete(network);
      this.#unstored.delete(network);
      this.#deps.log.info('ban-over', { id, network });
    }
    await this.#enforce();
    await this.#try('bans-not-stored', async () => await this.#deps.store()?.bans.active(nowMs));
  }

  #standing(): Ban[] {
    const nowMs = this.#deps.clock.now();
    return [...this.#bans.values()].filter(({ untilMs }) => untilMs > nowMs);
  }

  async #enforce(): Promise<void> {
    const bans = this.#standing();
    this.#deps.count.set(bans.length);
    await this.#deps.publish(bans);
  }

  #find(which: string): Ban | undefined {
    const standing = this.#standing();
    const byId = standing.find(({ id }) => id === which);
    if (byId !== undefined) return byId;
    const asked = parseCidr(which);
    if ('fault' in asked) return undefined;
    const networks = [formatCidr(asked), formatCidr(widened(which, asked))];
    return standing.find(({ network }) => networks.includes(network));
  }

  /** The network to ban, as text. @throws BanError */
  #allowed({ address, forMs, caller, force }: BanRequest): string {
    const asked = parseCidr(address);
    if ('fault' in asked) {
      const fix = asked.suggestion === undefined ? '' : `: ${asked.suggestion}`;
      throw new BanError('invalid-request', `The address ${asked.fault}${fix}.`);
    }
    if (!(forMs >= MIN_BAN_MS && forMs <= MAX_BAN_MS)) {
      throw new BanError('invalid-request', 'A ban lasts between 1s and 366d.');
    }
    const network = widened(address, asked);
    const self = parseIpAddress(caller);
    // Not even with force: nobody could take it back.
    if (self !== undefined && holdsNetwork(network, { ...self, bits: self.family === 4 ? 32 : 128 })) {
      throw new BanError('conflict', 'That would ban the address that you are asking from.');
    }
    const harm = force ? undefined : this.#harm(network);
    if (harm === undefined) return formatCidr(network);
    throw new BanError('conflict', `${formatCidr(network)} ${harm}. Ask with force to ban it all the same.`);
  }

  #harm(network: Cidr): string | undefined {
    if (isTooWide(network)) return 'is wider than /8 (IPv6: /16)';
    const touches = (other: Cidr): boolean => holdsNetwork(network, other) || holdsNetwork(other, network);
    const special = SPECIAL_NETWORKS.find((one) => touches(one.network));
    if (special !== undefined) return `is, or holds, a ${special.name} network`;
    const own = this.#deps.own().find(touches);
    return own === undefined ? undefined : `is, or holds, your own ${formatCidr(own)}`;
  }

  /** True: the store has it. The audit is tried in any case. */
  async #keep(
    change: (store: Store) => Promise<void>,
    action: string,
    actor: string,
    subject: string,
    detail: AuditEntry['detail'],
  ): Promise<boolean> {
    const store = this.#deps.store();
    if (store === undefined) return false;
    const entry = { at: this.#deps.clock.now(), actor, action, subject, detail };
    const done = await this.#try('bans-not-stored', async () => {
      await change(store);
      return true;
    });
    await this.#try('audit-failed', async () => await store.appendAudit(entry));
    return done ?? false;
  }

  async #try<T>(event: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#deps.log.error(event, { error });
      return undefined;
    }
  }
}

/** A bare IPv6 address is one of the very many that its subscriber may call from. */
function widened(written: string, network: Cidr): Cidr {
  return network.family === 6 && !written.includes('/') ? networkOf(network, SUBSCRIBER_BITS) : network;
}
