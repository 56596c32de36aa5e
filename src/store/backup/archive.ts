import { StoreError } from '../store.ts';
import type { BackupTable } from './tables.ts';

export type Cell = string | number | Uint8Array | null;

/** Rows of one table, cells in the order of its columns. */
export type TakeRows = (table: BackupTable, rows: readonly (readonly Cell[])[]) => Promise<void>;

/** A store as a whole, to be copied. Every method may reject with StoreError. */
export interface StoreArchive {
  /** Gives all there is at one moment, table by table; whoever uses the store goes on meanwhile. */
  read(take: TakeRows): Promise<void>;
  /**
   * Puts what `fill` gives in the place of all there is: all of it or nothing. Rejects with `conflict` while a gateway uses
   * the store, and, unless `replace`, where it holds anything.
   */
  write(fill: (put: TakeRows) => Promise<void>, options: { readonly replace: boolean }): Promise<void>;
  close(): Promise<void>;
}

/** A copy is made by the program that wrote the store. @throws StoreError */
export function assertVersion(version: number, own: number): void {
  if (version === own) return;
  throw new StoreError(
    version > own ? 'schema-too-new' : 'unavailable',
    `the store has schema version ${version}, this program ${own}: use the program that serves it`,
  );
}
