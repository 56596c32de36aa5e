import type { BodyNeed, FactKey, Policy, PolicyContext } from '../contract/index.ts';

/** What an attachment was compiled to: the same for every revision that says the same about it. */
export interface CompiledAttachment {
  readonly instance: Policy;
  /** Of the policy and of those inside its config together. */
  readonly body: BodyNeed;
  readonly needs: readonly FactKey[];
  readonly when: ((c: PolicyContext) => boolean) | undefined;
}

/** Tells, for a later compile, whether everything the compiled policy had read is still the same. */
export type StillValid = (world: CompileWorld) => boolean;

/** What a policy can read while it compiles, beside its config. */
export interface CompileWorld {
  /** Hash of a file's text. Throws ConfigError when it cannot be read. */
  fileHash(name: string): string;
  /** Hash of a secret. Throws ConfigError when it is not there. */
  secretHash(reference: string): string;
  /** Hash of a database's bytes. Throws ConfigError when it cannot be read. */
  databaseHash(path: string): string;
  /** Hash of the consumers and their credentials. */
  readonly consumersHash: string;
  /** Hash of what policies stand in: the guard's rules, the names of lists. */
  readonly surroundingsHash: string;
}

/** A use of a compiled attachment by one snapshot. */
export interface Lease {
  readonly compiled: CompiledAttachment;
  /** Ends the use; the last one disposes the policy. */
  release(): Promise<void>;
}

interface Entry {
  readonly key: string;
  readonly compiled: CompiledAttachment;
  readonly stillValid: StillValid;
  uses: number;
}

/**
 * Compiled policies that outlive revisions: a reload compiles only what changed, and what did not change keeps
 * its state. Counted by use; what no snapshot uses is disposed and forgotten, so reloads cannot grow it.
 */
export class PolicyCache {
  readonly #entries = new Map<string, Entry[]>();

  /** Number of compiled policies held. */
  get size(): number {
    let size = 0;
    for (const list of this.#entries.values()) size += list.length;
    return size;
  }

  /** A use of what was compiled for `key` in an equal world, or undefined. */
  acquire(key: string, world: CompileWorld): Lease | undefined {
    const entry = this.#entries.get(key)?.find((e) => e.stillValid(world));
    return entry === undefined ? undefined : this.#lease(entry);
  }

  /** Takes a compiled attachment in, with its first use. */
  add(key: string, compiled: CompiledAttachment, stillValid: StillValid): Lease {
    const entry: Entry = { key, compiled, stillValid, uses: 0 };
    const list = this.#entries.get(key);
    if (list === undefined) this.#entries.set(key, [entry]);
    else list.push(entry);
    return this.#lease(entry);
  }

  #lease(entry: Entry): Lease {
    entry.uses++;
    let isHeld = true;
    return {
      compiled: entry.compiled,
      release: async () => {
        if (!isHeld) return;
        isHeld = false;
        if (--entry.uses === 0) await this.#drop(entry);
      },
    };
  }

  async #drop(entry: Entry): Promise<void> {
    const rest = (this.#entries.get(entry.key) ?? []).filter((e) => e !== entry);
    if (rest.length === 0) this.#entries.delete(entry.key);
    else this.#entries.set(entry.key, rest);
    await entry.compiled.instance.dispose?.();
  }
}
