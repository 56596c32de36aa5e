import type { Attachment, FactKey, Policy } from '../../contract/index.ts';
import { compileCondition, makeAttachment } from '../../evaluator/index.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { type AttachmentSpec, readAttachment } from '../attachment-spec.ts';
import type { PolicyCatalog } from '../catalog.ts';
import type { DocumentPath } from '../document-path.ts';
import type { IssueList } from '../issues.ts';
import type { Pacer } from '../pacer.ts';
import type { CompiledAttachment, Lease, PolicyCache } from '../policy-cache.ts';
import { Reading, type World } from './world.ts';

/** Where attachments stand. */
export interface Place {
  readonly kind: 'listener' | 'route';
  readonly name: string;
  /** Of the `policies` list. */
  readonly path: DocumentPath;
}

/** An attachment with what the order check asks of it. */
export interface PlacedAttachment {
  readonly attachment: Attachment;
  readonly path: DocumentPath;
  readonly needs: readonly FactKey[];
  readonly provides: readonly FactKey[];
}

const NO_FACTS: readonly FactKey[] = Object.freeze([]);

/** Compiles the `policies` lists of one document. Keeps the leases, so that the snapshot can end them. */
export class AttachmentCompiler {
  readonly leases: Lease[] = [];
  readonly #catalog: PolicyCatalog;
  readonly #cache: PolicyCache;
  readonly #world: World;
  readonly #pacer: Pacer;
  readonly #issues: IssueList;

  constructor(catalog: PolicyCatalog, cache: PolicyCache, world: World, pacer: Pacer, issues: IssueList) {
    this.#catalog = catalog;
    this.#cache = cache;
    this.#world = world;
    this.#pacer = pacer;
    this.#issues = issues;
  }

  /** In the order written, without those that are off. What cannot be compiled is left out, with an issue. */
  async compile(items: readonly unknown[], place: Place): Promise<readonly PlacedAttachment[]> {
    const placed: PlacedAttachment[] = [];
    const ids = new AttachmentIds(place, this.#issues);
    for (const [i, item] of items.entries()) {
      if (this.#pacer.isDue) await this.#pacer.breathe();
      const spec = readAttachment(item, [...place.path, i], this.#catalog, this.#issues);
      if (spec === undefined) continue;
      // Those that are off count as well: switching one must not rename the counters of another.
      const id = ids.next(spec);
      const { mode } = spec;
      if (mode === 'off') continue;
      const compiled = await this.#compiled(spec, id, place);
      if (compiled !== undefined) placed.push(withFacts(spec, mode, id, compiled));
    }
    return placed;
  }

  /** Ends every use; for a compile that failed and for a snapshot that is no longer used. */
  async release(): Promise<void> {
    await Promise.all(this.leases.map((lease) => lease.release()));
  }

  async #compiled(spec: AttachmentSpec, id: string, place: Place): Promise<CompiledAttachment | undefined> {
    const key = `${id}\n${spec.when === undefined ? '' : JSON.stringify(spec.when)}\n${canonicalJson(spec.config)}`;
    const held = this.#cache.acquire(key, this.#world);
    if (held !== undefined) {
      this.leases.push(held);
      return held.compiled;
    }
    const condition = this.#condition(spec);
    const reading = new Reading(this.#world, id, place.kind === 'route' ? place.name : undefined);
    const instance = await this.#instance(spec, reading);
    if (instance === undefined) return undefined;
    if (condition === undefined) {
      // Never cached: a policy that lost its condition would apply where nobody wanted it.
      await instance.dispose?.();
      return undefined;
    }
    const lease = this.#cache.add(key, { instance, when: condition.when }, reading.stillValid);
    this.leases.push(lease);
    return lease.compiled;
  }

  /** Undefined when the condition is wrong, with an issue. */
  #condition({ when, path }: AttachmentSpec): Pick<CompiledAttachment, 'when'> | undefined {
    if (when === undefined) return { when };
    return this.#issues.collect([...path, 'when'], () => ({ when: compileCondition(when) }));
  }

  async #instance(spec: AttachmentSpec, reading: Reading): Promise<Policy | undefined> {
    try {
      const result = spec.definition.compile(spec.config, reading.deps);
      return result instanceof Promise ? await result : result;
    } catch (error) {
      this.#issues.addError([...spec.path, spec.definition.name], error);
      return undefined;
    }
  }
}

function withFacts(
  spec: AttachmentSpec,
  mode: Attachment['mode'],
  id: string,
  compiled: CompiledAttachment,
): PlacedAttachment {
  const { definition, config } = spec;
  const { body, needs, provides } = definition;
  const provided = (typeof provides === 'function' ? provides(config) : provides) ?? NO_FACTS;
  const attachment = makeAttachment({
    id,
    policy: definition.name,
    mode,
    onError: spec.onError,
    when: compiled.when,
    instance: compiled.instance,
    body: typeof body === 'function' ? body(config) : body,
    authenticates: provided.includes('identity'),
  });
  return {
    attachment,
    path: [...spec.path, definition.name],
    needs: (typeof needs === 'function' ? needs(config) : needs) ?? NO_FACTS,
    provides: provided,
  };
}

/** Ids by place and policy, numbered in the order written, or by their own name. */
class AttachmentIds {
  readonly #place: Place;
  readonly #issues: IssueList;
  readonly #counts = new Map<string, number>();
  readonly #names = new Set<string>();

  constructor(place: Place, issues: IssueList) {
    this.#place = place;
    this.#issues = issues;
  }

  next(spec: AttachmentSpec): string {
    const base = `${this.#place.kind}:${this.#place.name}/${spec.definition.name}`;
    if (spec.name !== undefined) {
      const id = `${base}@${spec.name}`;
      if (this.#names.has(id))
        this.#issues.add([...spec.path, 'name'], `the name "${spec.name}" is used twice here`);
      this.#names.add(id);
      return id;
    }
    const count = (this.#counts.get(base) ?? 0) + 1;
    this.#counts.set(base, count);
    return count === 1 ? base : `${base}#${count}`;
  }
}
