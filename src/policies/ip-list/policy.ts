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
import { AddressRules } from './address-rules.ts';
import { openTerms, type ReadEntries, readEntries } from './entries.ts';
import { fileNetworks } from './network-list.ts';
import { type IpListConfig, ipListOutline, type ipListSchema } from './schema.ts';

/** Refuses or lets on by the client's address, as decided once by the listener's trusted proxies. */
export const ipList: PolicyDefinition<typeof ipListSchema> = {
  ...ipListOutline,
  compile(config, deps): Policy | Promise<Policy> {
    const issues: ConfigIssue[] = [];
    const deny = readSide('deny', config, deps, issues);
    const allow = readSide('allow', config, deps, issues);
    if (issues.length > 0) throw new ConfigError(issues);
    if (!hasTerms(deny) && !hasTerms(allow)) return policyOf(deny && rulesOf(deny), allow && rulesOf(allow));
    return compileTerms(deny, allow, deps);
  },
};

/** `deny` and `denyFile`, or `allow` and `allowFile`, without a fault. */
interface Side {
  readonly key: 'deny' | 'allow';
  readonly entries: ReadEntries;
  readonly networks: CidrSet;
}

function readSide(
  key: 'deny' | 'allow',
  config: IpListConfig,
  deps: CompileDeps,
  issues: ConfigIssue[],
): Side | undefined {
  const inline = config[key] ?? [];
  const fileKey = `${key}File` as const;
  const path = config[fileKey];
  if (config[key] === undefined && path === undefined) return undefined;
  const entries = readEntries(key, inline, deps, issues);
  function* networks(): Generator<CidrEntry> {
    yield* entries.plain;
    if (path !== undefined)
      yield* fileNetworks(fileKey, readFile(fileKey, path, deps), inline.length, issues);
  }
  return { key, entries, networks: CidrSet.from(networks()) };
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

const hasTerms = (side: Side | undefined): boolean =>
  side !== undefined &&
  side.entries.lists.length + side.entries.countries.size + side.entries.systems.size > 0;

const rulesOf = ({ key, entries, networks }: Side): AddressRules => new AddressRules(key, entries, networks);

async function compileTerms(
  deny: Side | undefined,
  allow: Side | undefined,
  deps: CompileDeps,
): Promise<Policy> {
  const open = async ({ key, entries, networks }: Side): Promise<AddressRules> =>
    new AddressRules(key, entries, networks, await openTerms(key, entries, deps));
  const denied = deny === undefined ? undefined : await open(deny);
  try {
    return policyOf(denied, allow === undefined ? undefined : await open(allow));
  } catch (error) {
    denied?.release();
    throw error;
  }
}

function policyOf(deny: AddressRules | undefined, allow: AddressRules | undefined): Policy {
  if (allow?.size === 0) {
    const message = 'holds no network, so that nobody would be let on';
    throw ConfigError.at('allowFile', message, 'list who is let on, or leave allowFile out');
  }
  return new IpListPolicy(deny, allow);
}

class IpListPolicy implements Policy {
  readonly #deny: AddressRules | undefined;
  readonly #allow: AddressRules | undefined;

  constructor(deny: AddressRules | undefined, allow: AddressRules | undefined) {
    this.#deny = deny;
    this.#allow = allow;
  }

  request(c: PolicyContext): Decision {
    const { client } = c.request;
    if (this.#deny !== undefined) {
      const hit = this.#deny.find(client, c.now);
      if (hit !== -1) {
        const where = this.#deny.describe(hit, client, c.now);
        return refuse(this.#deny.ruleOf(hit), `${client.text} is in ${where}`);
      }
    }
    if (this.#allow === undefined || this.#allow.find(client, c.now) !== -1) return CONTINUE;
    return refuse('allow', `${client.text} is in nothing that is allowed`);
  }

  dispose(): void {
    this.#deny?.release();
    this.#allow?.release();
  }
}

/** The client is told nothing about the lists; the rule and the reason are for the record. */
const refuse = (rule: string, reason: string): Decision =>
  reject(new PolicyRejection('address-denied', 'This address may not call here.', { rule, reason }));
