import {
  CONTINUE,
  type CompileDeps,
  type Decision,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  reject,
} from '../../contract/index.ts';
import { ConfigError, type ConfigIssue, PolicyRejection } from '../../errors.ts';
import { partFailure } from '../../evaluator/index.ts';
import { challenge } from '../../identity/index.ts';
import { type Block, compileBlock, holds, isAbout } from './block.ts';
import { explainMiss } from './explain.ts';
import { type AclBlock, type AclConfig, aclOutline, type aclSchema, blocksOf } from './schema.ts';

/** Lets on only who is allowed, and nobody who is denied. */
export const acl: PolicyDefinition<typeof aclSchema> = {
  ...aclOutline,
  compile(config, deps): Policy {
    return new AclPolicy(config, deps);
  },
};

/** A block that could not be decided, and why. */
interface Undecided {
  readonly rule: string;
  readonly cause: unknown;
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
        compileBlock(block, Array.isArray(config[key]) ? `${key}[${i}]` : key, key, deps, issues),
      );
    this.#allow = compile('allow');
    this.#deny = compile('deny');
    this.#everyone = config.allow === 'everyone';
    if (issues.length > 0) throw new ConfigError(issues);
  }

  /** What cannot be decided matters only where nothing else decides. */
  request(c: PolicyContext): Decision {
    if (this.#deny.length > 0) {
      const denied = this.#denied(c);
      if (denied !== undefined) return denied;
    }
    return this.#everyone ? CONTINUE : this.#allowed(c);
  }

  #denied(c: PolicyContext): Decision | undefined {
    let undecided: Undecided | undefined;
    for (const block of this.#deny) {
      try {
        const answer = holds(block, c);
        // Who nobody is cannot be told apart from who is denied.
        if (answer === 'nobody') return UNAUTHENTICATED;
        if (answer) return denied(block);
      } catch (cause) {
        undecided ??= { rule: block.rule, cause };
      }
    }
    if (undecided !== undefined) throw partFailure(undecided.rule, undecided.cause);
    return undefined;
  }

  #allowed(c: PolicyContext): Decision {
    let undecided: Undecided | undefined;
    let needsCaller = false;
    for (const block of this.#allow) {
      try {
        const answer = holds(block, c);
        if (answer === true) return CONTINUE;
        if (answer === 'nobody') needsCaller = true;
      } catch (cause) {
        undecided ??= { rule: block.rule, cause };
      }
    }
    if (needsCaller) return UNAUTHENTICATED;
    if (undecided !== undefined) throw partFailure(undecided.rule, undecided.cause);
    return this.#notAllowed(c);
  }

  #notAllowed(c: PolicyContext): Decision {
    const { identity } = c.facts;
    const reason = explainMiss(this.#allow, c, identity);
    const wanting =
      identity &&
      this.#allow.find((block) => {
        const missed = block.ofCaller.filter((test) => !test.holds(identity));
        return missed.length > 0 && missed.every(({ key }) => SCOPE_KEYS.has(key)) && isAbout(block, c);
      });
    if (wanting === undefined) {
      return reject(
        new PolicyRejection('forbidden', 'The caller may not do this.', { rule: 'allow', reason }),
      );
    }
    return reject(
      new PolicyRejection('insufficient-scope', 'The credential lacks a scope.', {
        rule: wanting.rule,
        reason,
        headers: insufficientScope(wanting.config),
      }),
    );
  }
}

const SCOPE_KEYS: ReadonlySet<string> = new Set(['scopes', 'allScopes']);

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
      reason: `denied: every key of ${block.rule} (${Object.keys(block.config).join(', ')}) holds`,
    }),
  );

/** RFC 6750 §3.1. Scopes that could break the quotes are left out: the attribute is a hint. */
function insufficientScope({ scopes = [], allScopes = [] }: AclBlock): readonly string[] {
  const listed = [...new Set([...scopes, ...allScopes])].filter((scope) => /^[!#-[\]-~]+$/.test(scope));
  return ['WWW-Authenticate', challenge('Bearer', { error: 'insufficient_scope', scope: listed.join(' ') })];
}
