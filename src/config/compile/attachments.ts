import type { Attachment, FactKey, Policy } from '../../contract/index.ts';
import { compileCondition, makeAttachment } from '../../evaluator/index.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { type AttachmentSpec, readAttachment } from '../attachment-spec.ts';
import type { PolicyCatalog } from '../catalog.ts';
import type { DocumentPath } from '../document-path.ts';
import type { IssueList } from '../issues.ts';
import type { Pacer } from '../pacer.ts';
import type { CompiledAttachment, Lease, PolicyCache } from '../policy-cache.ts';
import { AttachmentIds } from './attachment-ids.ts';
import { MemberCompiler, providedBy } from './members.ts';
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
    const ids = new AttachmentIds(`${place.kind}:${place.name}`, this.#issues);
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
    const reading = new Reading(this.#world, place.kind === 'route' ? place.name : undefined);
    const inside = new MemberCompiler(this.#catalog, reading);
    const instance = await this.#instance(spec, inside, id);
    if (instance === undefined) return undefined;
    if (condition === undefined) {
      // Never cached: a policy that lost its condition would apply where nobody wanted it.
      await instance.dispose?.();
      return undefined;
    }
    reading.end();
    const { body, needs } = inside.needsOf(spec);
    const lease = this.#cache.add(key, { instance, body, needs, ...condition }, reading.stillValid);
    this.leases.push(lease);
    return lease.compiled;
  }

  /** Undefined when the condition is wrong, with an issue. */
  #condition({ when, path }: AttachmentSpec): Pick<CompiledAttachment, 'when'> | undefined {
    if (when === undefined) return { when };
    return this.#issues.collect([...path, 'when'], () => ({ when: compileCondition(when) }));
  }

  async #instance(spec: AttachmentSpec, inside: MemberCompiler, id: string): Promise<Policy | undefined> {
    try {
      return await inside.compile(spec, id);
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
  const { definition } = spec;
  const provides = providedBy(spec);
  const attachment = makeAttachment({
    id,
    policy: definition.name,
    mode,
    onError: spec.onError,
    when: compiled.when,
    instance: compiled.instance,
    body: compiled.body,
    authenticates: provides.includes('identity'),
  });
  return {
    attachment,
    path: [...spec.path, definition.name],
    needs: compiled.needs,
    provides,
  };
}
