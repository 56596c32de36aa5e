import { hash } from 'node:crypto';
import type {
  Charge,
  CompileDeps,
  PolicyContext,
  QuotaAbout,
  QuotaRule,
  Sharing,
} from '../../contract/index.ts';
import { keyDigest } from '../../lib/key-digest.ts';
import { RecentMap } from '../../lib/recent-map.ts';
import { RenewalWindows, type TimeWindow } from '../../lib/renewal-windows.ts';
import { type By, type CallerKeys, callerKeys, isUnproven } from '../../limits/index.ts';
import type { Level } from './settings.ts';

type QuotaCharge = Extract<Charge, { kind: 'quota' }>;

/** One counter of a quota for each of its keys: how it is called, and what it admits in the window there is. */
export class Allowance {
  readonly level: Level;
  readonly #attachment: string;
  readonly #windows: RenewalWindows;
  readonly #keys: CallerKeys;
  /** Where keys are values of the caller’s, which may be secrets: these are counted, kept and shown by their digest. */
  readonly #digests: Digests | undefined;
  readonly #asked: Rules;
  readonly #byAddress: Rules;

  /** Throws ConfigError for keys that are wrong. */
  constructor(level: Level, deps: CompileDeps, sharing: Sharing) {
    const { by, path, period } = level;
    this.level = level;
    this.#attachment = deps.attachment;
    this.#windows = new RenewalWindows(period.renewal);
    this.#keys = callerKeys(by, deps, `${path}by`);
    this.#digests = typeof by === 'object' && !('address' in by) ? new Digests() : undefined;
    const { attachment } = deps;
    const [kind, word] = [kindOf(by), wordOf(by)];
    this.#asked = new Rules(level, sharing, { attachment, by: kind, unproven: isUnproven(by) }, word);
    // Apart for each kind: of two that are not there, each counts.
    const fallback = `${word}, else ${ADDRESS}`;
    this.#byAddress = new Rules(level, sharing, { attachment, by: ADDRESS, unproven: true }, fallback);
  }

  /** For a request that is counted at `atMs`. */
  charge(c: PolicyContext, cost: number, atMs: number): QuotaCharge {
    const { scope, key } = this.#keys(c);
    const isAsked = scope === this.#attachment;
    const rules = isAsked ? this.#asked : this.#byAddress;
    const face = rules.face(c.shadow);
    return {
      kind: 'quota',
      scope: face.scope,
      key: isAsked && this.#digests !== undefined ? this.#digests.of(key) : key,
      cost,
      rule: face.rule(this.#windows.at(atMs)),
    };
  }
}

/** Callers come back: a digest takes ten times as long as to look one up. */
const REMEMBERED_DIGESTS = 4096;

class Digests {
  readonly #known = new RecentMap<string, string>(REMEMBERED_DIGESTS);

  of(value: string): string {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const digest = keyDigest(value);
    this.#known.set(value, digest);
    return digest;
  }
}

/** Who cannot be told apart as asked is told apart by this, in a scope of its own. */
const ADDRESS = 'address';

/** What one kind of key is counted under, in force and in shadow: a trial uses up nothing of what is in force. */
class Rules {
  readonly #enforced: Face;
  readonly #shadow: Face;

  /** `kind` tells keys of one kind from those of others. */
  constructor(level: Level, sharing: Sharing, { unproven, ...keys }: Keys, kind: string) {
    const rule = { ...sharing, unproven };
    // The limit and the name are no part of it: who changes them changes nothing of what is used.
    const scope = `${keys.attachment} ${level.role} ${level.period.word} by ${kind}`;
    this.#enforced = new Face(scope, level, rule, { ...keys, name: level.name, shadow: false });
    this.#shadow = new Face(`${scope} in shadow`, level, rule, { ...keys, name: level.name, shadow: true });
  }

  face(shadow: boolean): Face {
    return shadow ? this.#shadow : this.#enforced;
  }
}

type Keys = Pick<QuotaAbout, 'attachment' | 'by'> & { readonly unproven: boolean };

class Face {
  readonly scope: string;
  readonly #level: Level;
  readonly #always: Pick<QuotaRule, keyof Sharing | 'unproven'>;
  readonly #about: QuotaAbout;
  #window: TimeWindow | undefined;
  #rule: QuotaRule | undefined;

  constructor(
    scope: string,
    level: Level,
    always: Pick<QuotaRule, keyof Sharing | 'unproven'>,
    about: QuotaAbout,
  ) {
    this.scope = scope;
    this.#level = level;
    this.#always = always;
    this.#about = about;
  }

  /** One object for each window: a request makes none. */
  rule(window: TimeWindow): QuotaRule {
    if (this.#rule !== undefined && this.#window === window) return this.#rule;
    const { limit, carryOver } = this.#level;
    this.#window = window;
    this.#rule = Object.freeze({ limit, carryOver, ...window, ...this.#always, about: this.#about });
    return this.#rule;
  }
}

/** What the keys are, in words. */
function kindOf(by: By | undefined): string {
  if (by === undefined) return 'consumer';
  if (typeof by === 'string') return by;
  if ('header' in by) return `header ${by.header.toLowerCase()}`;
  if ('claim' in by) return `claim ${by.claim}`;
  if ('expression' in by) return 'expression';
  const { ipv4 = 32, ipv6 = 64 } = by.address;
  return ipv4 === 32 && ipv6 === 64 ? ADDRESS : `address /${ipv4} /${ipv6}`;
}

/** As `kindOf`, and apart for each expression. */
const wordOf = (by: By | undefined): string =>
  typeof by === 'object' && 'expression' in by
    ? `expression ${hash('sha256', by.expression, 'hex').slice(0, 16)}`
    : kindOf(by);
