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
  #trusting: ListenerPlan | undefined = undefined;
  #plan: ListenerPlan | undefined = undefined;

  constructor(home: ConnectionOwner) {
    this.#home = home;
  }

  get serving(): Serving {
    return this.#home.serving;
  }

  /** Of each revision one, made once. */
  get plan(): ListenerPlan {
    const { plan } = this.#home;
    if (this.#plan === undefined || plan !== this.#trusting) {
      this.#trusting = plan;
      this.#plan = Object.freeze({ ...plan, trusts: trustsNobody });
    }
    return this.#plan;
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
