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
import { type CidrEntry, CidrSet } from '../../lib/cidr-set.ts';
import { fileNetworks, inlineNetworks } from './network-list.ts';
import { type IpListConfig, ipListSchema } from './schema.ts';

/** Refuses or lets on by the client's address, as decided once by the listener's trusted proxies. */
export const ipList: PolicyDefinition<typeof ipListSchema> = {
  name: 'ip-list',
  summary: 'Refuses addresses and networks, or lets on only those listed.',
  schema: ipListSchema,
  body: 'none',
  compile(config, deps): Policy {
    const issues: ConfigIssue[] = [];
    const deny = compileList('deny', config, deps, issues);
    const allow = compileList('allow', config, deps, issues);
    if (allow?.set.size === 0 && issues.length === 0) {
      const message = 'holds no network, so that nobody would be let on';
      issues.push({ path: 'allowFile', message, suggestion: 'list who is let on, or leave allowFile out' });
    }
    if (issues.length > 0) throw new ConfigError(issues);
    return new IpListPolicy(deny, allow);
  },
};

/** The networks of `deny` and `denyFile`, or of `allow` and `allowFile`. */
interface NetworkList {
  readonly set: CidrSet;
  /** Name of the rule behind a value of the set. */
  ruleOf(value: number): string;
}

function compileList(
  key: 'deny' | 'allow',
  config: IpListConfig,
  deps: CompileDeps,
  issues: ConfigIssue[],
): NetworkList | undefined {
  const inline = config[key] ?? [];
  const fileKey = `${key}File` as const;
  const path = config[fileKey];
  if (config[key] === undefined && path === undefined) return undefined;
  function* entries(): Generator<CidrEntry> {
    yield* inlineNetworks(key, inline, issues);
    if (path !== undefined)
      yield* fileNetworks(fileKey, readFile(fileKey, path, deps), inline.length, issues);
  }
  return {
    set: CidrSet.from(entries()),
    ruleOf: (value) => (value < inline.length ? `${key}[${value}]` : `${fileKey}:${value - inline.length}`),
  };
}

/** The file's text; a fault of it is told at the key that names it. */
function readFile(key: string, path: string, deps: CompileDeps): string {
  try {
    return deps.files.read(path);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(
      error.issues.map((issue) => ({ ...issue, path: issue.path === '' ? key : issue.path })),
      { cause: error },
    );
  }
}

class IpListPolicy implements Policy {
  readonly #deny: NetworkList | undefined;
  readonly #allow: CidrSet | undefined;

  constructor(deny: NetworkList | undefined, allow: NetworkList | undefined) {
    this.#deny = deny;
    this.#allow = allow?.set;
  }

  request(c: PolicyContext): Decision {
    const { client } = c.request;
    const hit = this.#deny === undefined ? -1 : this.#deny.set.lookup(client);
    if (hit >= 0) return refuse(this.#deny?.ruleOf(hit) ?? 'deny', `${client.text} is in a denied network`);
    if (this.#allow === undefined || this.#allow.lookup(client) >= 0) return CONTINUE;
    return refuse('allow', `${client.text} is in no allowed network`);
  }
}

/** The client is told nothing about the lists; the rule and the reason are for the record. */
const refuse = (rule: string, reason: string): Decision =>
  reject(new PolicyRejection('address-denied', 'This address may not call here.', { rule, reason }));
