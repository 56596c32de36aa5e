import type { Ban, ImposedBan } from '../contract/index.ts';

/** Bans that operators asked for, and those that policies imposed. Every method may reject with StoreError. */
export interface BanStore {
  /** Puts a ban in place of one of its network or its id. */
  put(ban: Ban): Promise<void>;
  /** False: there was none. */
  remove(id: string): Promise<boolean>;
  /** Those that are not over at `nowMs`, newest first; the others are forgotten. */
  active(nowMs: number): Promise<readonly Ban[]>;
  /** Puts each in place of the one of its subject, in shadow or not, and removes others: all of it or nothing. */
  putImposed(bans: readonly ImposedBan[], forgotten: readonly ImposedBan[]): Promise<void>;
  /** Those that are remembered at `nowMs`, newest first; the others are forgotten. */
  imposed(nowMs: number): Promise<readonly ImposedBan[]>;
}
