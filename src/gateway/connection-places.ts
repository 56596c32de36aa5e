import type { Clock, GcraRule, LimitOutcome, ListenerLimits, ListenerPlan, Slot } from '../contract/index.ts';
import { type IpAddress, networkKey } from '../lib/ip-address.ts';
import type { InFlight } from '../state/index.ts';
import type { ConnectionRefusal } from './refusals.ts';

/** What is counted for all workers of the node together, in its own memory: no connection waits for a store. */
export interface NodeCounts {
  readonly inFlight: InFlight;
  readonly rates: {
    gcra(scope: string, key: string, rule: GcraRule, cost: number, nowMs: number): LimitOutcome;
  };
}

/** The place of a connection among all, and among those from its address once that is known. */
export class ConnectionPlace {
  readonly #among: Slot;
  #fromAddress: Slot | undefined = undefined;

  constructor(among: Slot) {
    this.#among = among;
  }

  name(fromAddress: Slot): void {
    this.#fromAddress = fromAddress;
  }

  leave(): void {
    this.#among.release();
    this.#fromAddress?.release();
  }
}

/** Holds the connections of a listener to its limits: how many are open, and how many begin. */
export class ConnectionPlaces {
  readonly #counts: NodeCounts;
  readonly #clock: Clock;
  readonly #scopes: { readonly open: string; readonly begun: string; readonly begunFrom: string };

  constructor(listener: string, counts: NodeCounts, clock: Clock) {
    this.#counts = counts;
    this.#clock = clock;
    const scope = `listener:${listener} connections`;
    // A rule has a scope of its own.
    this.#scopes = { open: scope, begun: `${scope} begun`, begunFrom: `${scope} begun from` };
  }

  /** A connection begins, whosever it is. */
  enter({ newConnections, connections }: ListenerLimits): ConnectionPlace | ConnectionRefusal {
    if (!this.#mayBegin(this.#scopes.begun, '', newConnections)) return 'new-connections';
    const slot = this.#counts.inFlight.take(this.#scopes.open, '', connections);
    return slot === undefined ? 'connections' : new ConnectionPlace(slot);
  }

  /** It is known from whom it is: why it may not go on, or undefined when it may. */
  name(place: ConnectionPlace, peer: IpAddress, { limits }: ListenerPlan): ConnectionRefusal | undefined {
    const key = networkKey(peer, 32, 64);
    if (!this.#mayBegin(this.#scopes.begunFrom, key, limits.newConnectionsPerAddress))
      return 'new-connections-per-address';
    const slot = this.#counts.inFlight.take(this.#scopes.open, key, limits.connectionsPerAddress);
    if (slot === undefined) return 'connections-per-address';
    place.name(slot);
    return undefined;
  }

  #mayBegin(scope: string, key: string, perSecond: number | undefined): boolean {
    if (perSecond === undefined) return true;
    const rule = { limit: perSecond, windowMs: 1000, burst: perSecond, unproven: true };
    return this.#counts.rates.gcra(scope, key, rule, 1, this.#clock.now()).allowed;
  }
}
