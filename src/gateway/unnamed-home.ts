import type { ListenerPlan } from '../contract/index.ts';
import type { ClientConnection, ConnectionOwner } from './client-connection.ts';
import type { DataPlaneServices } from './services.ts';
import type { Serving } from './serving.ts';

const trustsNobody = (): boolean => false;

/**
 * The listener as a connection sees it whose proxy did not say whose it is. Its peer is the proxy, which is trusted:
 * what an unnamed client writes into X-Forwarded-For must not be believed for that.
 */
export class UnnamedHome implements ConnectionOwner {
  readonly #home: ConnectionOwner;
  /** By the plans they were made of: of the active revision, and of one that is tried. */
  readonly #plans = new WeakMap<ListenerPlan, ListenerPlan>();

  constructor(home: ConnectionOwner) {
    this.#home = home;
  }

  get serving(): Serving {
    return this.#home.serving;
  }

  get plan(): ListenerPlan {
    return this.seenBy(this.#home.plan);
  }

  /** Of each plan one, made once. */
  seenBy(plan: ListenerPlan): ListenerPlan {
    const known = this.#plans.get(plan);
    if (known !== undefined) return known;
    const made = Object.freeze({ ...plan, trusts: trustsNobody });
    this.#plans.set(plan, made);
    return made;
  }

  get draining(): boolean {
    return this.#home.draining;
  }

  get services(): DataPlaneServices {
    return this.#home.services;
  }

  gone(connection: ClientConnection): void {
    this.#home.gone(connection);
  }
}
