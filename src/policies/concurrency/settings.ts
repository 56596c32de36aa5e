import { PRIORITIES, type Priority, type SlotRule } from '../../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../../errors.ts';
import { parseDuration } from '../../lib/duration.ts';
import { sharingOf } from '../../limits/index.ts';
import type { ConcurrencyConfig } from './schema.ts';

const DEFAULT_WAIT = '1s';
const MAX_WAIT_MS = 600_000;

/** What a config comes to. */
export interface Settings {
  /** The rule for each priority, so that none is made per request. */
  readonly rules: ReadonlyMap<Priority, SlotRule>;
  readonly limit: number;
  readonly queue: number;
  /** As the document writes it. */
  readonly wait: string;
  /** From when a request came, in milliseconds. */
  readonly deadlineMs: number;
  /** In lower case. */
  readonly deadlineHeader: string | undefined;
}

/** Throws ConfigError with every fault. */
export function readSettings(config: ConcurrencyConfig): Settings {
  const { limit, queue = 0, wait = DEFAULT_WAIT, deadline, deadlineHeader } = config;
  const issues: ConfigIssue[] = [];
  const waitMs = duration('wait', wait, issues);
  if (waitMs > MAX_WAIT_MS) issues.push({ path: 'wait', message: 'is more than 10m' });
  const deadlineMs =
    deadline === undefined ? Number.POSITIVE_INFINITY : duration('deadline', deadline, issues);
  for (const path of ['wait', 'deadline', 'deadlineHeader'] as const) {
    if (queue > 0 || config[path] === undefined) continue;
    issues.push({
      path,
      message: 'means nothing where nobody waits',
      suggestion: 'say with queue how many may',
    });
  }
  if (issues.length > 0) throw new ConfigError(issues);
  const sharing = sharingOf(config);
  const rules = PRIORITIES.map(
    (priority) => [priority, Object.freeze({ limit, queue, waitMs, priority, ...sharing })] as const,
  );
  return {
    rules: new Map(rules),
    limit,
    queue,
    wait,
    deadlineMs,
    deadlineHeader: deadlineHeader?.toLowerCase(),
  };
}

function duration(path: string, text: string, issues: ConfigIssue[]): number {
  const ms = parseDuration(text) ?? 0;
  if (ms === 0) issues.push({ path, message: 'must be more than 0' });
  return ms;
}
