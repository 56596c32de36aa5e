import { type DocumentPath, isObject, listOf, memberOf, textOf } from '../../config/index.ts';
import { parseExpiry } from '../../lib/expiry.ts';
import type { LintContext } from './context.ts';
import type { Found, LintRule } from './finding.ts';

/** What had a last day, and has had it: it says something that is no longer so. */
export const expiredEntry: LintRule = {
  id: 'expired-entry',
  severity: 'warning',
  summary: 'An entry of a list, or a credential, whose last day is over',
  *check(c) {
    for (const { path, definition, config } of c.attachments()) {
      if (definition.name !== 'ip-list') continue;
      for (const side of ['deny', 'allow'])
        yield* entries(listOf(memberOf(config, side)), [...path, 'ip-list', side], c.nowMs);
    }
    for (const [name, list] of Object.entries(c.document.lists ?? {}))
      yield* entries(list.entries ?? [], ['lists', name, 'entries'], c.nowMs);
    yield* credentials(c);
  },
};

function* entries(items: readonly unknown[], path: DocumentPath, nowMs: number): Generator<Found> {
  for (const [i, item] of items.entries()) {
    const expires = textOf(memberOf(item, 'expires'));
    if (expires === undefined || !isOver(expires, nowMs)) continue;
    const owner = textOf(memberOf(item, 'owner'));
    yield {
      path: [...path, i, 'expires'],
      message: `${textOf(memberOf(item, 'network')) ?? 'the entry'} is listed until ${expires} only, and counts no more`,
      fix: `take it out${owner === undefined ? '' : ` (ask ${owner})`}, or give it a later last day`,
    };
  }
}

function* credentials({ document, nowMs }: LintContext): Generator<Found> {
  for (const [i, { name, credentials: written = [] }] of (document.consumers ?? []).entries()) {
    for (const [j, credential] of written.entries()) {
      for (const [kind, config] of Object.entries(credential)) {
        const expires = isObject(config) ? textOf(memberOf(config, 'expires')) : undefined;
        if (expires === undefined || !isOver(expires, nowMs)) continue;
        yield {
          path: ['consumers', i, 'credentials', j, kind, 'expires'],
          message: `a credential of "${name}" (${kind}) was good until ${expires}, and is refused since`,
          fix: 'take it out, or give it a later last day',
        };
      }
    }
  }
}

const isOver = (expires: string, nowMs: number): boolean => (parseExpiry(expires) ?? nowMs) < nowMs;
