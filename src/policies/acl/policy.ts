import {
  CONTINUE,
  type CompileDeps,
  type Decision,
  type Identity,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  reject,
} from '../../contract/index.ts';
import { ConfigError, type ConfigIssue, PolicyRejection } from '../../errors.ts';
import { type Block, compileBlock, needsIdentity } from './block.ts';
import { explainMiss } from './explain.ts';
import { type AclBlock, type AclConfig, aclSchema } from './schema.ts';

/** Lets on only who is allowed, and nobody who is denied. */
export const acl: PolicyDefinition<typeof aclSchema> = {
  name: 'acl',
  summary: 'Lets on only the consumers, groups, scopes, methods, paths and addresses that are allowed.',
  schema: aclSchema,
  body: 'none',
  needs: (config) =>
    [...blocksOf(config.allow), ...blocksOf(config.deny)].some(needsIdentity) ? ['identity'] : [],
  compile(config, deps): Policy {
    return new AclPolicy(config, deps);
  },
};

function blocksOf(part: AclConfig['allow']): readonly AclBlock[] {
  if (part === undefined || part === 'everyone') return [];
  return Array.isArray(part) ? part : [part];
}

class AclPolicy implements Policy {
  readonly #allow: readonly Block[];
  readonly #deny: readonly Block[];
  readonly #everyone: boolean;

  constructor(config: AclConfig, deps: CompileDeps) {
    if (config.allow === undefined) {
      const problem = 'nobody is allowed: what is not allowed is refused';
      throw ConfigError.at(
        'allow',
        problem,
        'say who is; allow: everyone lets on all that deny does not name',
      );
    }
    const issues: ConfigIssue[] = [];
    const compile = (key: 'allow' | 'deny') =>
      blocksOf(config[key]).map((block, i) =>
        compileBlock(block, Array.isArray(config[key]) ? `${key}[${i}]` : key, deps, issues),
      );
    this.#allow = compile('allow');
    this.#deny = compile('deny');
    this.#everyone = config.allow === 'everyone';
    if (issues.length > 0) throw new ConfigError(issues);
  }

  request(c: PolicyContext): Decision {
    const { identity } = c.facts;
    for (const block of this.#deny) {
      if (!block.matchesRequest(c)) continue;
      // Who nobody is cannot be told apart from who is denied.
      if (block.needsIdentity && identity === undefined) return UNAUTHENTICATED;
      if (identity !== undefined && block.missed(identity).length > 0) continue;
      return denied(block);
    }
    if (this.#everyone) return CONTINUE;
    for (const block of this.#allow) {
      if (!block.matchesRequest(c)) continue;
      if (!block.needsIdentity) return CONTINUE;
      if (identity !== undefined && block.missed(identity).length === 0) return CONTINUE;
    }
    return this.#notAllowed(c, identity);
  }

  #notAllowed(c: PolicyContext, identity: Identity | undefined): Decision {
    const near = this.#allow.filter((block) => block.needsIdentity && block.matchesRequest(c));
    if (identity === undefined && near.length > 0) return UNAUTHENTICATED;
    const reason = explainMiss(this.#allow, c, identity);
    const wanting = identity && near.find((block) => block.missed(identity).every((key) => key === 'scopes'));
    if (wanting === undefined) {
      return reject(
        new PolicyRejection('forbidden', 'The caller may not do this.', { rule: 'allow', reason }),
      );
    }
    return reject(
      new PolicyRejection('insufficient-scope', 'The credential lacks a scope.', {
        rule: wanting.rule,
        reason,
        headers: insufficientScope(wanting.config.scopes ?? []),
      }),
    );
  }
}

const UNAUTHENTICATED: Decision = reject(
  new PolicyRejection('unauthenticated', 'Authentication is required.', {
    rule: 'identity',
    reason: 'no policy before established who calls',
  }),
);

const denied = (block: Block): Decision =>
  reject(
    new PolicyRejection('forbidden', 'The caller may not do this.', {
      rule: block.rule,
      reason: `every key of ${block.rule} (${Object.keys(block.config).join(', ')}) holds`,
    }),
  );

/** RFC 6750 §3.1. Scopes that could break the quotes are left out: the attribute is a hint. */
function insufficientScope(scopes: readonly string[]): readonly string[] {
  const listed = scopes.filter((scope) => /^[!#-[\]-~]+$/.test(scope)).join(' ');
  return ['WWW-Authenticate', `Bearer error="insufficient_scope", scope="${listed}"`];
}
