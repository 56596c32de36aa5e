import type { ClientCertificate, CompileDeps } from '../../contract/index.ts';
import type { ConfigIssue } from '../../errors.ts';
import { didYouMean } from '../../lib/suggest.ts';
import {
  type Hit,
  namePattern,
  type Pattern,
  type TextKind,
  textPattern,
  thumbprintPattern,
} from './pattern.ts';
import type { RuleConfig } from './schema.ts';

/** Whom a rule takes a certificate for. */
export interface Named {
  readonly rule: string;
  readonly consumer: string;
  readonly groups: readonly string[];
  /** Whether only a consumer that is known will do. */
  readonly isDeclared: boolean;
}

type ConditionKind = TextKind | 'subject' | 'issuer' | 'thumbprint';
const KINDS: readonly ConditionKind[] = [
  'thumbprint',
  'issuer',
  'subject',
  'commonName',
  'dns',
  'uri',
  'email',
];

/** One rule of the config, ready to be asked. */
export interface Rule {
  readonly rule: string;
  /** Undefined where it does not match; a text where it does, and who is meant cannot be told. */
  read(certificate: ClientCertificate): Named | string | undefined;
}

interface Condition {
  readonly kind: ConditionKind;
  readonly patterns: readonly Pattern[];
}

/** Compiles one rule at `path`; what is wrong with it is added to `issues`. */
export function compileRule(
  config: RuleConfig,
  path: string,
  { consumers }: Pick<CompileDeps, 'consumers'>,
  issues: ConfigIssue[],
): Rule {
  const conditions = KINDS.flatMap((kind) => {
    const patterns = patternsOf(config, kind, path, issues);
    return patterns.length === 0 ? [] : [{ kind, patterns }];
  });
  checkConditions(config, path, conditions, issues);
  if (config.consumer !== undefined && !consumers.has(config.consumer)) {
    const suggestion =
      didYouMean(config.consumer, consumers.names) ?? 'declare it under consumers, or mend the name';
    issues.push({
      path: `${path}.consumer`,
      message: `there is no consumer "${config.consumer}"`,
      suggestion,
    });
  }
  return new CompiledRule(config, path, conditions);
}

function patternsOf(
  config: RuleConfig,
  kind: ConditionKind,
  path: string,
  issues: ConfigIssue[],
): readonly Pattern[] {
  const written = config[kind];
  if (written === undefined) return [];
  const texts = typeof written === 'string' ? [written] : written;
  return texts.flatMap((text, i) => {
    const pattern = patternOf(kind, text);
    if (typeof pattern !== 'string') return [pattern];
    const place = typeof written === 'string' ? `${path}.${kind}` : `${path}.${kind}[${i}]`;
    issues.push({ path: place, message: pattern });
    return [];
  });
}

function patternOf(kind: ConditionKind, text: string): Pattern | string {
  if (kind === 'thumbprint') return thumbprintPattern(text);
  return kind === 'subject' || kind === 'issuer' ? namePattern(text) : textPattern(kind, text);
}

function checkConditions(
  { consumer, from, prefix, declared }: RuleConfig,
  path: string,
  conditions: readonly Condition[],
  issues: ConfigIssue[],
): void {
  if (conditions.length === 0 && issues.length === 0)
    issues.push({
      path,
      message: 'matches every certificate',
      suggestion: 'add subject, issuer, commonName, dns, uri, email or thumbprint',
    });
  if ((consumer === undefined) === (from === undefined))
    issues.push({
      path,
      message: 'needs either consumer or from',
      suggestion: 'say whose certificate it is',
    });
  if (from === undefined && (prefix !== undefined || declared !== undefined))
    issues.push({ path, message: 'prefix and declared mean nothing without from' });
  if (from !== '*') return;
  const withStars = conditions.filter(({ patterns }) => patterns.some(({ stars }) => stars > 0));
  const isClear = withStars.length === 1 && withStars[0].patterns.every(({ stars }) => stars === 1);
  if (!isClear)
    issues.push({ path: `${path}.from`, message: 'needs exactly one "*" in the conditions of the rule' });
}

/** What names one of many may be made of: it goes to records, headers and keys of counters. */
const NAME = /^[^\p{Cc}\p{Cs}]{1,256}$/u;

class CompiledRule implements Rule {
  readonly rule: string;
  readonly #conditions: readonly Condition[];
  readonly #config: RuleConfig;
  readonly #groups: readonly string[];

  constructor(config: RuleConfig, rule: string, conditions: readonly Condition[]) {
    this.rule = rule;
    this.#config = config;
    this.#conditions = conditions;
    this.#groups = Object.freeze([...(config.groups ?? [])]);
  }

  read(certificate: ClientCertificate): Named | string | undefined {
    const hits = new Map<ConditionKind, readonly Hit[]>();
    for (const { kind, patterns } of this.#conditions) {
      const found = namesOf(certificate, kind).flatMap((name) => firstHit(patterns, name) ?? []);
      if (found.length === 0) return undefined;
      hits.set(kind, found);
    }
    const consumer = this.#consumer(certificate, hits);
    if (consumer === undefined) return `${this.rule} matches, and the certificate does not name one consumer`;
    const { consumer: fixed, declared = true } = this.#config;
    return {
      rule: this.rule,
      consumer,
      groups: this.#groups,
      isDeclared: fixed !== undefined || declared,
    };
  }

  /** Of several names none is more his than another: then nobody is meant. */
  #consumer(
    certificate: ClientCertificate,
    hits: ReadonlyMap<ConditionKind, readonly Hit[]>,
  ): string | undefined {
    const { consumer, from, prefix = '' } = this.#config;
    if (from === undefined) return consumer;
    const names =
      from === '*'
        ? [...hits.values()].flat().flatMap(({ star }) => star ?? [])
        : (hits.get(from)?.map(({ name }) => name) ?? namesOf(certificate, from));
    const distinct = new Set(names);
    const [name] = distinct;
    return distinct.size === 1 && NAME.test(name) ? `${prefix}${name}` : undefined;
  }
}

function firstHit(patterns: readonly Pattern[], name: string): Hit | undefined {
  for (const pattern of patterns) {
    const hit = pattern.match(name);
    if (hit !== undefined) return hit;
  }
  return undefined;
}

function namesOf(certificate: ClientCertificate, kind: ConditionKind): readonly string[] {
  const { names } = certificate;
  if (kind === 'dns') return names.dns;
  if (kind === 'uri') return names.uris;
  if (kind === 'email') return names.emails;
  const text = certificate[kind];
  return text === '' ? [] : [text];
}
