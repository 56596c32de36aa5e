import type { CompileDeps, Identity, PolicyContext } from '../../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../../errors.ts';
import { compileCondition } from '../../evaluator/index.ts';
import { didYouMean } from '../../lib/suggest.ts';
import { type CallerTest, callerTests } from './caller.ts';
import { type BlockKind, type RequestTest, requestTests } from './request.ts';
import type { AclBlock } from './schema.ts';

/** A block ready to be asked. Keys are ANDed, the values of one key ORed. */
export interface Block {
  /** Place in the config, e.g. `deny[2]`: the rule that is recorded. */
  readonly rule: string;
  readonly config: AclBlock;
  /** What needs no identity. */
  readonly ofRequest: readonly RequestTest[];
  /** What does. */
  readonly ofCaller: readonly CallerTest[];
  /** Asked last; throws where it cannot be decided. */
  readonly when: ((c: PolicyContext) => boolean) | undefined;
}

/** Compiles one block; what is wrong with it is added to `issues`. */
export function compileBlock(
  config: AclBlock,
  rule: string,
  kind: BlockKind,
  deps: CompileDeps,
  issues: ConfigIssue[],
): Block {
  checkNames(config, rule, deps, issues);
  return {
    rule,
    config,
    ofRequest: requestTests(config, rule, kind, deps, issues),
    ofCaller: callerTests(config),
    when: config.when === undefined ? undefined : conditionOf(config.when, `${rule}.when`, issues),
  };
}

/** Whether the request is one the block is about, whoever calls. Throws where that cannot be decided. */
export function isAbout(block: Block, c: PolicyContext): boolean {
  for (const { holds } of block.ofRequest) if (!holds(c)) return false;
  return true;
}

/** Whether the caller is one the block is about. */
export function isFor(block: Block, identity: Identity): boolean {
  for (const { holds } of block.ofCaller) if (!holds(identity)) return false;
  return true;
}

/**
 * Whether the block holds: `nobody` where it would hang on who calls, and nobody is identified. Throws where it cannot
 * be decided.
 */
export function holds(block: Block, c: PolicyContext): boolean | 'nobody' {
  if (!isAbout(block, c)) return false;
  if (block.ofCaller.length > 0) {
    const { identity } = c.facts;
    if (identity === undefined) return 'nobody';
    if (!isFor(block, identity)) return false;
  }
  return block.when === undefined || block.when(c);
}

function conditionOf(source: string, path: string, issues: ConfigIssue[]): Block['when'] {
  try {
    return compileCondition(source);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const issue of error.issues) issues.push({ ...issue, path });
    return undefined;
  }
}

/** Misspelt names that are compared with all others: a hostile document could have very many of both. */
const MAX_COMPARED = 20;
const DECLARE = {
  consumer: 'declare it under consumers, or mend the name',
  group: 'declare it under groups or as one of a consumer, or mend the name',
} as const;

/** A name that nobody has would never match: a misspelt `deny` must not become a silent `allow`. */
function checkNames(config: AclBlock, rule: string, deps: CompileDeps, issues: ConfigIssue[]): void {
  const refuse = (what: keyof typeof DECLARE, name: string, path: string, known: Iterable<string>): void => {
    const near = issues.length < MAX_COMPARED ? didYouMean(name, known) : undefined;
    issues.push({ path, message: `there is no ${what} "${name}"`, suggestion: near ?? DECLARE[what] });
  };
  // The directory is asked only where a block names somebody: who asked is compiled anew when consumers change.
  config.consumers?.forEach((name, i) => {
    const { consumers } = deps;
    if (!consumers.has(name)) refuse('consumer', name, `${rule}.consumers[${i}]`, consumers.names);
  });
  for (const key of ['groups', 'allGroups'] as const) {
    config[key]?.forEach((name, i) => {
      const { consumers } = deps;
      if (!consumers.hasGroup(name)) refuse('group', name, `${rule}.${key}[${i}]`, consumers.groups);
    });
  }
}
