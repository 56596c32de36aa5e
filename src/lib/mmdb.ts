import type { IpAddress } from './ip-address.ts';

/** An open database in the MaxMind format. */
export interface Mmdb {
  /** What it says it is about, e.g. `GeoLite2-Country`. */
  readonly type: string;
  /** What it knows of an address; null for nothing. Throws where it is damaged. */
  get(address: IpAddress): unknown;
}

/** Records remembered by their place: there are a few hundred countries, and most callers are of few networks. */
const MAX_REMEMBERED = 4096;

/**
 * Opens a database over its bytes, which may be shared memory and are not copied. The library is loaded with the first
 * one. Rejects with an Error for bytes that are no database.
 */
export async function openMmdb(bytes: Uint8Array): Promise<Mmdb> {
  const { Reader } = await import('maxmind');
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader = new Reader(buffer, { cache: new Remembered() });
  const { databaseType, ipVersion } = reader.metadata;
  const mmdb: Mmdb = {
    type: String(databaseType),
    // In a tree of IPv4 alone the bits of an IPv6 address would lead to somebody else.
    get: (address) => (address.family === 6 && ipVersion === 4 ? null : reader.get(address.text)),
  };
  for (const probe of PROBES) mmdb.get(probe);
  return mmdb;
}

/** A file that was cut is found out when it is opened, not by a caller. */
const PROBES: readonly IpAddress[] = Object.freeze(
  [0, 0x08080808, 0xc0000201, 0xffffffff].map((d): IpAddress => {
    const text = [24, 16, 8, 0].map((shift) => (d >>> shift) & 255).join('.');
    return { text, family: 4, a: 0, b: 0, c: 0xffff, d };
  }),
);

class Remembered {
  readonly #records = new Map<string | number, unknown>();

  get(place: string | number): unknown {
    return this.#records.get(place);
  }

  set(place: string | number, record: unknown): void {
    if (this.#records.size >= MAX_REMEMBERED) this.#records.clear();
    this.#records.set(place, record);
  }
}
