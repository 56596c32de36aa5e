import type { Clock, Counter, Gauge, ImposedBan, LiveUpdate, Logger } from '../../contract/index.ts';
import { type Cidr, holdsNetwork, parseCidr } from '../../lib/cidr.ts';
import { banKey, bannedNetwork, bannedText, ImposedBans } from '../../state/index.ts';
import type { AuditEntry, Store } from '../../store/index.ts';
import { BanError } from './bans.ts';

export interface PolicyBansDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined while there is no usable store: bans then end with the process. */
  readonly store: () => Store | undefined;
  /** Brings what has changed to every worker, and all there is to those that are started later. */
  readonly spread: (change: ImposedUpdate, whole: ImposedUpdate) => Promise<void>;
  /** The operator's own networks: what lists protect, proxies in front, addresses of this machine. */
  readonly own: () => readonly Cidr[];
  /** `sallyport_imposed_bans`. */
  readonly count: Gauge;
  /** `sallyport_imposed_bans_displaced_total`. */
  readonly displaced: Counter;
  readonly schedule: (work: () => void, delayMs: number) => void;
  /** Bans that are remembered at one time. Default 10,000. */
  readonly maxBans?: number;
}

export type ImposedUpdate = Extract<LiveUpdate, { subject: 'imposed-bans' }>;

const MAX_BANS = 10_000;
/** Who attacks chooses how many bans there are: workers are told of them no more often than this, */
const SPREAD_INTERVAL_MS = 250;
/** of so many at a time, or a worker would be held for long, */
const SPREAD_AT_ONCE = 500;
/** and so many of them are told one by one in the log and the audit, the others as a number. */
const TOLD_SINGLY = 5;
/** How many that are to give way are looked for at a time, at most. */
const MOST_CHOSEN = 256;

/**
 * Bans that policies imposed in workers: kept, brought to all workers, shown and lifted. Two workers that ban at once
 * ban once, since a ban of a round that is known already is the same one.
 */
export class PolicyBans {
  readonly #deps: PolicyBansDeps;
  readonly #bans = new ImposedBans();
  readonly #maxBans: number;
  /** What workers and the store are to be told, by key. */
  readonly #changed = new Map<string, ImposedBan>();
  readonly #forgotten = new Map<string, ImposedBan>();
  /** Of those that have changed, the ones that are new. */
  #imposed: ImposedBan[] = [];
  /** Those that give way next, the first of them last. */
  #nextToGo: ImposedBan[] = [];
  #isLoaded = false;
  #isDue = false;
  #spreadAtMs = Number.NEGATIVE_INFINITY;
  #tail: Promise<void> = Promise.resolve();

  constructor(deps: PolicyBansDeps) {
    this.#deps = deps;
    this.#maxBans = deps.maxBans ?? MAX_BANS;
  }

  /** Takes up what is remembered. To be called before the first revision is served. */
  async load(): Promise<void> {
    const { store, clock } = this.#deps;
    const kept = await this.#try('bans-not-loaded', async () => await store()?.bans.imposed(clock.now()));
    if (kept !== undefined) await this.#takeUp(kept);
  }

  /** As `load`, where that was not possible then. Rejects with StoreError. */
  async loadLate(): Promise<void> {
    const store = this.#deps.store();
    if (this.#isLoaded || store === undefined) return;
    await this.#takeUp(await store.bans.imposed(this.#deps.clock.now()));
  }

  /** What was imposed here meanwhile stays, unless it is of an earlier round. */
  async #takeUp(kept: readonly ImposedBan[]): Promise<void> {
    this.#isLoaded = true;
    for (const ban of kept) {
      const known = this.#bans.get(banKey(ban));
      if (known === undefined || known.round < ban.round) this.#bans.put(ban);
    }
    if (this.#bans.size > 0) await this.#deps.spread(this.#whole(), this.#whole());
    this.#deps.count.set(this.#standing().length);
  }

  /** Those that stand, in shadow or not, newest first. */
  list(): readonly ImposedBan[] {
    return this.#standing().sort((a, b) => b.sinceMs - a.sinceMs || (a.id < b.id ? -1 : 1));
  }

  /** A worker says that a policy imposed it there. */
  take(ban: ImposedBan): void {
    const key = banKey(ban);
    const known = this.#bans.get(key);
    if (known !== undefined && known.round >= ban.round && known.forgetMs > ban.sinceMs) {
      // The worker did not know yet: it has its own until it is told which one stands.
      this.#changed.set(key, known);
      return this.#spreadSoon();
    }
    if (this.#isOwn(ban)) {
      this.#deps.log.error('ban-protected', { banned: bannedText(ban), by: ban.by });
      this.#forgotten.set(key, ban);
      return this.#spreadSoon();
    }
    if (known === undefined && this.#bans.size >= this.#maxBans) this.#makeRoom();
    this.#bans.put(ban);
    this.#changed.set(key, ban);
    this.#forgotten.delete(key);
    this.#imposed.push(ban);
    this.#spreadSoon();
  }

  /**
   * Ends a ban by its id, its network, an address of it or its caller, and forgets those before it: the next one comes
   * after as many rejections as the first, and lasts as long. @throws BanError `not-found`
   */
  async lift(which: string, actor: string): Promise<ImposedBan> {
    const ban = this.#find(which);
    if (ban === undefined) throw new BanError('not-found', 'There is no such ban.');
    const nowMs = this.#deps.clock.now();
    const lifted = { ...ban, untilMs: nowMs, strike: 0, round: ban.round + 1 };
    this.#bans.put(lifted);
    this.#changed.set(banKey(ban), lifted);
    await this.flush();
    const detail = { ...auditedPlace(ban), shadow: ban.shadow };
    await this.#audit({ actor, action: 'ban.remove', subject: ban.id, detail });
    this.#deps.log.info('ban-lifted', { id: ban.id, banned: bannedText(ban), by: actor });
    return ban;
  }

  /** Lets go of those that are no longer remembered. Workers know by themselves when a ban ends. */
  tick(): void {
    const nowMs = this.#deps.clock.now();
    for (const ban of [...this.#bans.values()]) if (ban.forgetMs <= nowMs) this.#drop(ban);
    this.#deps.count.set(this.#standing().length);
    if (this.#forgotten.size > 0) this.#spreadSoon();
  }

  /** Tells workers, the store, the log and the audit of all that has changed until now. */
  async flush(): Promise<void> {
    const turns = Math.ceil(Math.max(this.#changed.size, this.#forgotten.size) / SPREAD_AT_ONCE);
    for (let turn = 0; turn < turns; turn++) await this.#flushNext();
  }

  /** One after the other, or the store would end with what was there before. */
  async #flushNext(): Promise<void> {
    const done = this.#tail.then(() => this.#flush());
    this.#tail = done;
    await done;
  }

  async #flush(): Promise<void> {
    const forgotten = takeFirst(this.#forgotten);
    const bans = takeFirst(this.#changed);
    const imposed = this.#imposed;
    if (bans.length === 0 && forgotten.length === 0) return;
    this.#imposed = [];
    const { clock, spread, store, count } = this.#deps;
    this.#spreadAtMs = clock.monotonic();
    const change = { subject: 'imposed-bans', whole: false, bans, forgotten: forgotten.map(banKey) } as const;
    count.set(this.#standing().length);
    await this.#try('bans-not-spread', async () => await spread(change, this.#whole()));
    await this.#try('bans-not-stored', async () => await store()?.bans.putImposed(bans, forgotten));
    await this.#tell(imposed);
    if (this.#changed.size > 0 || this.#forgotten.size > 0) this.#spreadSoon();
  }

  #spreadSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    const sinceMs = this.#deps.clock.monotonic() - this.#spreadAtMs;
    this.#deps.schedule(
      () => {
        this.#isDue = false;
        void this.#flushNext();
      },
      Math.max(0, SPREAD_INTERVAL_MS - sinceMs),
    );
  }

  async #tell(imposed: readonly ImposedBan[]): Promise<void> {
    for (const ban of imposed.slice(0, TOLD_SINGLY)) {
      const { id, reason, by, strike, shadow, untilMs } = ban;
      const until = new Date(untilMs).toISOString();
      const told = { reason, until, strike, shadow };
      this.#deps.log.warn('ban-imposed', { id, banned: bannedText(ban), ...told, by });
      const detail = { ...auditedPlace(ban), ...told };
      await this.#audit({ actor: by, action: 'ban.impose', subject: id, detail });
    }
    const more = imposed.length - TOLD_SINGLY;
    if (more <= 0) return;
    this.#deps.log.warn('bans-imposed', { more });
    await this.#audit({ actor: 'system', action: 'ban.impose', subject: 'more', detail: { more } });
  }

  /**
   * What ends first gives way: short bans of one who comes from ever new addresses, before long ones of who came back.
   * Those that were lifted stay, or they would be banned again for what was lifted.
   */
  #makeRoom(): void {
    for (;;) {
      if (this.#nextToGo.length === 0) this.#chooseNextToGo();
      const first = this.#nextToGo.pop();
      if (first === undefined) return;
      // What has changed since it was chosen is judged anew.
      if (this.#bans.get(banKey(first)) !== first) continue;
      if (first.untilMs > this.#deps.clock.now()) this.#deps.displaced.add(1);
      return this.#drop(first);
    }
  }

  /** Some at a time: to look through all of them for each would hold the thread in a flood. */
  #chooseNextToGo(): void {
    const all = [...this.#bans.values()].filter(({ strike }) => strike > 0);
    all.sort((a, b) => a.untilMs - b.untilMs);
    const share = Math.ceil(all.length / 16);
    this.#nextToGo = all.slice(0, Math.min(share, MOST_CHOSEN)).reverse();
  }

  #drop(ban: ImposedBan): void {
    const key = banKey(ban);
    this.#bans.delete(key);
    this.#changed.delete(key);
    this.#forgotten.set(key, ban);
  }

  #find(which: string): ImposedBan | undefined {
    const standing = this.#standing();
    const text = bannedNetwork(which) ?? which;
    const isOf = (ban: ImposedBan): boolean => bannedText(ban) === text;
    return (
      standing.find(({ id }) => id === which) ??
      standing.find((ban) => isOf(ban) && !ban.shadow) ??
      standing.find(isOf)
    );
  }

  #isOwn({ network: text }: ImposedBan): boolean {
    const network = text === undefined ? undefined : parseCidr(text);
    if (network === undefined || 'fault' in network) return false;
    return this.#deps.own().some((own) => holdsNetwork(own, network) || holdsNetwork(network, own));
  }

  #standing(): ImposedBan[] {
    const nowMs = this.#deps.clock.now();
    return [...this.#bans.values()].filter(({ untilMs }) => untilMs > nowMs);
  }

  #whole(): ImposedUpdate {
    return { subject: 'imposed-bans', whole: true, bans: [...this.#bans.values()], forgotten: [] };
  }

  async #audit(entry: Omit<AuditEntry, 'at'>): Promise<void> {
    const at = this.#deps.clock.now();
    await this.#try('audit-failed', async () => await this.#deps.store()?.appendAudit({ at, ...entry }));
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

/** Takes the oldest entries out of a map. */
function takeFirst(map: Map<string, ImposedBan>): readonly ImposedBan[] {
  const taken: ImposedBan[] = [];
  for (const [key, ban] of map) {
    if (taken.length === SPREAD_AT_ONCE) break;
    taken.push(ban);
    map.delete(key);
  }
  return taken;
}

/** Who is banned; a network under the name that it has for bans that were asked for, so that one search finds both. */
const auditedPlace = (ban: ImposedBan) => ({
  banned: bannedText(ban),
  ...(ban.network === undefined ? {} : { network: ban.network }),
});
