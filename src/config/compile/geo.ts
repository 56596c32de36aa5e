import type { GeoDatabases, GeoLookup, Resource, Resources } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import type { IpAddress } from '../../lib/ip-address.ts';
import { type Mmdb, openMmdb } from '../../lib/mmdb.ts';
import type { BinaryFiles } from '../binary-files.ts';

type Kind = 'country' | 'asn';
/** The files of `geo`, by what they are about. */
export type GeoPaths = Readonly<Partial<Record<Kind, string>>>;

/** The databases of a document. None is read before a policy asks for it. */
export class GeoFiles {
  readonly #paths: GeoPaths;
  readonly #binaries: BinaryFiles;
  readonly #resources: Resources;

  constructor(paths: GeoPaths, binaries: BinaryFiles, resources: Resources) {
    this.#paths = paths;
    this.#binaries = binaries;
    this.#resources = resources;
  }

  /** `note` is told of every database that is opened, for a later compile to compare. */
  databases(note: (path: string, hash: string) => void): GeoDatabases {
    return {
      country: () => this.#open('country', countryOf, note),
      asn: () => this.#open('asn', systemOf, note),
    };
  }

  /** Throws ConfigError. */
  hash(path: string): string {
    return this.#binaries.read(path).hash;
  }

  async #open<T>(
    kind: Kind,
    read: (record: unknown) => T | undefined,
    note: (path: string, hash: string) => void,
  ): Promise<GeoLookup<T>> {
    const path = this.#paths[kind];
    if (path === undefined) {
      throw ConfigError.at(
        '',
        `needs a database: the document has no geo.${kind}`,
        `name it: geo: { ${kind}: file:PATH }`,
      );
    }
    const { bytes, hash } = this.#binaries.read(path);
    note(path, hash);
    const database = await openDatabase(kind, path, bytes);
    const held = this.#resources.acquire({
      key: `mmdb ${hash}`,
      is: (resource): resource is Database => resource instanceof Database,
      open: () => new Database(database),
    });
    const { mmdb } = held.resource;
    return { find: (address: IpAddress) => read(mmdb.get(address)), release: held.release };
  }
}

/** What a worker has open, however many policies ask: its memory is shared, what it remembers is not. */
class Database implements Resource {
  readonly mmdb: Mmdb;

  constructor(mmdb: Mmdb) {
    this.mmdb = mmdb;
  }

  close(): void {}
}

async function openDatabase(kind: Kind, path: string, bytes: Uint8Array): Promise<Mmdb> {
  const database = await openMmdb(bytes).catch((cause: unknown) => {
    throw new ConfigError([{ path: '', message: `${path} is no database in the MaxMind format` }], { cause });
  });
  // A database about something else would never match, and a control that never matches must not look switched on.
  const other = kind === 'country' ? 'asn' : 'country';
  if (ABOUT[other].test(database.type) && !ABOUT[kind].test(database.type)) {
    throw ConfigError.at(
      '',
      `${path} (${database.type}) holds nothing for geo.${kind}`,
      `is it the one for geo.${other}?`,
    );
  }
  return database;
}

const ABOUT: Readonly<Record<Kind, RegExp>> = {
  country: /country|city|enterprise/i,
  asn: /asn|isp|enterprise/i,
};

const ISO_CODE = /^[A-Z]{2}$/;

/** MaxMind's form, and the flat one of others. */
function countryOf(record: unknown): string | undefined {
  const code = memberOf(memberOf(record, 'country'), 'iso_code') ?? memberOf(record, 'country_code');
  return typeof code === 'string' && ISO_CODE.test(code) ? code : undefined;
}

function systemOf(record: unknown): number | undefined {
  const number = memberOf(record, 'autonomous_system_number') ?? memberOf(record, 'asn');
  if (typeof number === 'number') return number;
  const flat = typeof number === 'string' ? /^AS([1-9][0-9]{0,9})$/.exec(number) : null;
  return flat === null ? undefined : Number(flat[1]);
}

function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return Object.getOwnPropertyDescriptor(value, key)?.value;
}
