import type { IpAddress } from '../lib/ip-address.ts';

/** A look-up in a database about addresses. To be released by who asked for it. */
export interface GeoLookup<T> {
  /** Undefined for an address that the database does not know. Throws where the database is damaged. */
  find(address: IpAddress): T | undefined;
  release(): void;
}

/**
 * The databases that the document names under `geo`. Opened when first asked for. Both reject with ConfigError where
 * the document names no such database, or it cannot be read.
 */
export interface GeoDatabases {
  /** Countries, as ISO 3166-1 alpha-2 codes in capitals. */
  country(): Promise<GeoLookup<string>>;
  /** Numbers of autonomous systems. */
  asn(): Promise<GeoLookup<number>>;
}
