import type { FeedPlan } from '../config/index.ts';
import { formatPath } from '../config/index.ts';
import { createFeedReader, judgeRefresh, NO_MARK, versionOf } from '../control/index.ts';
import { ConfigError, type ConfigIssue } from '../errors.ts';
import { readFeed } from '../lib/network-feed/index.ts';
import { finish } from '../lib/steps.ts';
import { OFFLINE } from '../outbound/index.ts';
import type { LiveState } from '../state/index.ts';

/**
 * Fills the lists of a document for whoever judges it without a gateway: files are read, and what comes from a URL has
 * no entries. Resolves with what a person should know of that; rejects with ConfigError for files that cannot be read.
 */
export async function loadOfflineLists(
  plans: readonly FeedPlan[],
  folder: string,
  live: LiveState,
): Promise<readonly string[]> {
  const notes: string[] = [];
  const issues: ConfigIssue[] = [];
  const reader = createFeedReader({ network: OFFLINE, folder, version: '' });
  for (const plan of plans) {
    const { name, source, shown } = plan;
    if (source.kind === 'url') {
      notes.push(`list "${name}" has no entries here: ${shown} is asked by a running gateway alone`);
      continue;
    }
    const read = await reader.read(plan, NO_MARK);
    const networks = read.kind === 'content' ? finish(readFeed(read.bytes, plan.form)) : undefined;
    if (networks === undefined || 'fault' in networks) {
      const fault = networks?.message ?? (read.kind === 'failed' ? read.reason : 'nothing was read');
      issues.push({ path: formatPath(['lists', name, 'source']), message: `${shown}: ${fault}` });
      continue;
    }
    const { reasons } = finish(judgeRefresh(undefined, networks, plan, []));
    if (reasons.length > 0) {
      notes.push(`list "${name}": its first content would be held for a person: ${reasons.join('; ')}`);
    }
    const content = { version: versionOf(networks), networks: finish(networks.set()).share() };
    live.apply({ subject: 'list', name, content: { ...content, prefixes: networks.prefixes() } });
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return notes;
}
