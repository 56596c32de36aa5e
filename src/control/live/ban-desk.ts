import type { Ban, ImposedBan } from '../../contract/index.ts';
import { BanError, type BanRequest, type BanResult, type Bans } from './bans.ts';
import type { PolicyBans } from './policy-bans.ts';

/** All bans, whoever is behind them, as operators see them and end them. */
export class BanDesk {
  readonly #ordered: Bans;
  readonly #imposed: PolicyBans;

  constructor(ordered: Bans, imposed: PolicyBans) {
    this.#ordered = ordered;
    this.#imposed = imposed;
  }

  /** Those that stand, newest first. */
  list(): readonly (Ban | ImposedBan)[] {
    return [...this.#ordered.list(), ...this.#imposed.list()].sort((a, b) => b.sinceMs - a.sinceMs);
  }

  /** @throws BanError */
  async ban(request: BanRequest): Promise<BanResult> {
    return await this.#ordered.ban(request);
  }

  /** Ends whatever bans it, since who calls is not let on while one of them stands. @throws BanError `not-found` */
  async lift(which: string, actor: string): Promise<Ban | ImposedBan> {
    const lifted = [
      await found(this.#ordered.lift(which, actor)),
      await found(this.#imposed.lift(which, actor)),
    ].find((ban) => ban !== undefined);
    if (lifted === undefined) throw new BanError('not-found', 'There is no such ban.');
    return lifted;
  }
}

async function found<T>(lifting: Promise<T>): Promise<T | undefined> {
  try {
    return await lifting;
  } catch (error) {
    if (error instanceof BanError && error.code === 'not-found') return undefined;
    throw error;
  }
}
