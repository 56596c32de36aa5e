import type { BodyNeed, CompileDeps, FactKey, Member, Policy } from '../../contract/index.ts';
import { ConfigError, InternalError } from '../../errors.ts';
import { compileCondition } from '../../evaluator/index.ts';
import { type AttachmentSpec, readAttachment } from '../attachment-spec.ts';
import type { PolicyCatalog } from '../catalog.ts';
import { type DocumentPath, parsePath } from '../document-path.ts';
import { IssueList } from '../issues.ts';
import { isObject } from '../json-shape.ts';
import { ATTACHMENT_SETTINGS, MEMBER_SETTINGS } from '../schema/attachment.ts';
import { AttachmentIds } from './attachment-ids.ts';
import type { Reading } from './world.ts';

/** How deep members may stand inside members: more is not readable, and a document could go on for ever. */
const MAX_DEPTH = 3;
const NO_FACTS: readonly FactKey[] = Object.freeze([]);
const BODY_NEEDS: readonly BodyNeed[] = ['none', 'stream', 'buffer'];

/** What an attachment asks of what comes before it. */
interface Needs {
  readonly body: BodyNeed;
  readonly needs: readonly FactKey[];
}

/** Facts that an attachment establishes. */
export function providedBy({ definition, config }: AttachmentSpec): readonly FactKey[] {
  const { provides = NO_FACTS } = definition;
  return typeof provides === 'function' ? provides(config) : provides;
}

/** Compiles a policy and those that stand inside its config, and knows what they need together. */
export class MemberCompiler {
  readonly #catalog: PolicyCatalog;
  readonly #reading: Reading;
  readonly #depth: number;
  /** Needs of those inside. */
  readonly #inside: Needs[] = [];
  /** Compiled, and nobody's yet: to be disposed where the compile of what they are for fails. */
  readonly #made: Policy[] = [];

  constructor(catalog: PolicyCatalog, reading: Reading, depth = 0) {
    this.#catalog = catalog;
    this.#reading = reading;
    this.#depth = depth;
  }

  /** Throws ConfigError, paths relative to the config; nothing of a failed compile stays. */
  async compile(spec: AttachmentSpec, id: string): Promise<Policy> {
    const { definition, config } = spec;
    const deps = this.#reading.deps(id, (items, path) => this.#members(items, parsePath(path), id));
    try {
      const result = definition.compile(config, deps);
      const instance = result instanceof Promise ? await result : result;
      this.#made.push(instance);
      // Recorded without it, the credentials of its callers would lie on the disk.
      if (instance.credentialFields === undefined && providedBy(spec).includes('identity'))
        throw new InternalError(`${definition.name} does not say where it reads credentials`);
      this.#made.pop();
      return instance;
    } catch (error) {
      await Promise.all(this.#made.map((policy) => policy.dispose?.()));
      throw error;
    }
  }

  /** What the policy needs, and those inside its config. Asked after `compile`. */
  needsOf({ definition, config }: AttachmentSpec): Needs {
    const { body, needs = NO_FACTS } = definition;
    const own = {
      body: typeof body === 'function' ? body(config) : body,
      needs: typeof needs === 'function' ? needs(config) : needs,
    };
    const all = [own, ...this.#inside];
    const most = Math.max(...all.map((one) => BODY_NEEDS.indexOf(one.body)));
    return { body: BODY_NEEDS[most], needs: [...new Set(all.flatMap((one) => one.needs))] };
  }

  async #members(
    items: readonly unknown[],
    path: DocumentPath,
    place: string,
  ): ReturnType<CompileDeps['members']> {
    const issues = new IssueList();
    if (this.#depth === MAX_DEPTH) {
      throw ConfigError.at('', `stands more than ${MAX_DEPTH} deep inside others`, 'make it flatter');
    }
    const members: Member[] = [];
    const ids = new AttachmentIds(place, issues);
    const names = new Set<string>();
    for (const [i, item] of items.entries()) {
      const spec = readAttachment(item, [...path, i], this.#catalog, issues);
      if (spec === undefined || !isMember(spec, item, issues)) continue;
      const id = ids.next(spec);
      const name = spec.name ?? id.slice(place.length + 1);
      if (names.has(name)) issues.add(spec.path, `another one here is named "${name}"`, 'give it a name');
      names.add(name);
      const member = await this.#member(spec, id, name, issues);
      if (member !== undefined) members.push(member);
    }
    issues.throwIfAny();
    return members;
  }

  async #member(
    spec: AttachmentSpec,
    id: string,
    name: string,
    issues: IssueList,
  ): Promise<Member | undefined> {
    const { definition, path } = spec;
    const source = spec.when;
    const when =
      source === undefined ? undefined : issues.collect([...path, 'when'], () => compileCondition(source));
    const inside = new MemberCompiler(this.#catalog, this.#reading, this.#depth + 1);
    try {
      const instance = await inside.compile(spec, id);
      this.#made.push(instance);
      const needs = inside.needsOf(spec);
      this.#inside.push(needs);
      return { name, policy: definition.name, when, body: needs.body, instance };
    } catch (error) {
      issues.addError([...path, definition.name], error);
      return undefined;
    }
  }
}

/** Only what proves who calls can be one of several ways to do so; how it acts is for the whole to say. */
function isMember(spec: AttachmentSpec, item: unknown, issues: IssueList): boolean {
  const { path, definition } = spec;
  const keys = isObject(item) ? Object.keys(item) : [];
  const settings = keys.filter((key) => Object.hasOwn(ATTACHMENT_SETTINGS, key));
  const foreign = settings.filter((key) => !Object.hasOwn(MEMBER_SETTINGS, key));
  for (const key of foreign)
    issues.add([...path, key], 'cannot be said of one among several', 'say it of the whole');
  if (providedBy(spec).includes('identity')) return foreign.length === 0;
  issues.add(
    [...path, definition.name],
    'does not prove who calls, as everything here must',
    'attach it by itself',
  );
  return false;
}
