import { ConfigError, type ConfigIssue } from '../../errors.ts';
import { parseDuration } from '../../lib/duration.ts';
import type { FreshnessRules } from './freshness.ts';
import type { Selection } from './presented.ts';
import { DEFAULT_COMPONENTS, type HmacSignatureConfig } from './schema.ts';

/** A config with every default filled in. */
export interface SignatureRules extends FreshnessRules {
  readonly selection: Selection;
  readonly components: readonly string[];
  readonly refusesReplays: boolean;
  readonly needsNonce: boolean;
  /** What callers sign as the scheme; undefined for that of the connection. */
  readonly scheme: 'http' | 'https' | undefined;
}

const MAX_AGE_MS = 24 * 3_600_000;
const MAX_TOLERANCE_MS = 600_000;

/** Throws ConfigError with every fault. */
export function readRules(config: HmacSignatureConfig): SignatureRules {
  const { label, tag, scheme, components = DEFAULT_COMPONENTS } = config;
  const maxAgeMs = parseDuration(config.maxAge ?? '5m') ?? 0;
  const toleranceMs = parseDuration(config.clockTolerance ?? '30s') ?? 0;
  const issues: ConfigIssue[] = [];
  if (maxAgeMs < 1000 || maxAgeMs > MAX_AGE_MS) {
    issues.push({ path: 'maxAge', message: 'is not between 1s and 24h' });
  }
  if (toleranceMs > MAX_TOLERANCE_MS) {
    issues.push({ path: 'clockTolerance', message: 'is longer than 10m' });
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return {
    maxAgeMs,
    toleranceMs,
    scheme,
    selection: { label, tag },
    components,
    refusesReplays: config.replay !== 'allow',
    needsNonce: config.nonce === 'required',
  };
}
