import type { CompileDeps, DocumentFiles, Secrets } from '../../contract/index.ts';
import { ConfigError, InternalError } from '../../errors.ts';
import type { FingerprintedDirectory } from '../consumers.ts';
import { sha256Hex } from '../digest.ts';
import type { CompileWorld, StillValid } from '../policy-cache.ts';
import type { GeoFiles } from './geo.ts';

/** What a compiled policy stands in, beside what it reads. Handles: what is behind them changes, they do not. */
export interface Surroundings extends Pick<CompileDeps, 'guard' | 'resources' | 'lists' | 'revocations'> {
  readonly geo: GeoFiles;
  /** Hash of the guard's rules, the lists with the entries that stand in the document, and the names of databases. */
  readonly fingerprint: string;
}

/** What one compile reads: contents for policies, hashes to compare with what earlier compiles had read. */
export class World implements CompileWorld {
  readonly files: DocumentFiles;
  readonly secrets: Secrets;
  readonly consumers: FingerprintedDirectory;
  readonly around: Surroundings;
  readonly #hashes: Map<string, string>;

  /** `fileHashes`: already known hashes by file name, so that large files are not hashed in every worker. */
  constructor(
    files: DocumentFiles,
    secrets: Secrets,
    consumers: FingerprintedDirectory,
    around: Surroundings,
    fileHashes: Readonly<Record<string, string>>,
  ) {
    this.files = files;
    this.secrets = secrets;
    this.consumers = consumers;
    this.around = around;
    this.#hashes = new Map(Object.entries(fileHashes).map(([name, hash]) => [`file ${name}`, hash]));
  }

  get consumersHash(): string {
    return this.consumers.fingerprint;
  }

  get surroundingsHash(): string {
    return this.around.fingerprint;
  }

  fileHash(name: string): string {
    // Read even where the hash is known: what a revision uses is captured by being read.
    const text = this.files.read(name);
    return this.#hash(`file ${name}`, text);
  }

  databaseHash(path: string): string {
    return this.around.geo.hash(path);
  }

  secretHash(reference: string): string {
    return this.#hash(`secret ${reference}`, this.secrets.resolve(reference));
  }

  #hash(key: string, text: string): string {
    let hash = this.#hashes.get(key);
    if (hash === undefined) {
      hash = sha256Hex(text);
      this.#hashes.set(key, hash);
    }
    return hash;
  }
}

/** What one policy read while it compiled, so that a later compile knows whether it would read the same. */
export class Reading {
  readonly #world: World;
  readonly #route: string | undefined;
  readonly #files = new Map<string, string>();
  readonly #secrets = new Map<string, string>();
  readonly #databases = new Map<string, string>();
  readonly #around: string;
  #consumersHash: string | undefined = undefined;
  #isOver = false;

  constructor(world: World, route: string | undefined) {
    this.#world = world;
    this.#route = route;
    this.#around = world.around.fingerprint;
  }

  /** What the policy itself, or one inside its config, is given. */
  deps(attachment: string, members: CompileDeps['members']): CompileDeps {
    const world = this.#world;
    const note = (): FingerprintedDirectory => {
      this.#assertCompiling();
      this.#consumersHash = world.consumersHash;
      return world.consumers;
    };
    const { guard, resources, lists, revocations, geo } = world.around;
    return {
      attachment,
      route: this.#route,
      members,
      guard,
      resources,
      lists,
      revocations,
      geo: geo.databases((path, hash) => this.#databases.set(path, hash)),
      files: {
        read: (name) => {
          this.#assertCompiling();
          this.#files.set(name, world.fileHash(name));
          return world.files.read(name);
        },
      },
      secrets: {
        resolve: (reference) => {
          this.#assertCompiling();
          this.#secrets.set(reference, world.secretHash(reference));
          return world.secrets.resolve(reference);
        },
      },
      get consumers() {
        return note();
      },
    };
  }

  /**
   * The policy is compiled. What it read only later would be of a world that later compiles know nothing of: it would be
   * kept, and go on by consumers that are no more. So nothing is read any more.
   */
  end(): void {
    this.#isOver = true;
  }

  #assertCompiling(): void {
    if (this.#isOver) throw new InternalError('a policy read its world after it was compiled');
  }

  readonly stillValid: StillValid = (world) => {
    if (this.#around !== world.surroundingsHash) return false;
    if (this.#consumersHash !== undefined && this.#consumersHash !== world.consumersHash) return false;
    try {
      for (const [name, hash] of this.#files) if (world.fileHash(name) !== hash) return false;
      for (const [reference, hash] of this.#secrets) if (world.secretHash(reference) !== hash) return false;
      for (const [path, hash] of this.#databases) if (world.databaseHash(path) !== hash) return false;
      return true;
    } catch (error) {
      if (error instanceof ConfigError) return false;
      throw error;
    }
  };
}
