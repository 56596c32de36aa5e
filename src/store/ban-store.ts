import type { Ban } from '../contract/index.ts';

/** Bans of addresses. Every method may reject with StoreError. */
export interface BanStore {
  /** Puts a ban in place of one of its network or its id. */
  put(ban: Ban): Promise<void>;
  /** False: there was none. */
  remove(id: string): Promise<boolean>;
  /** Those that are not over at `nowMs`, newest first; the others are forgotten. */
  active(nowMs: number): Promise<readonly Ban[]>;
}
