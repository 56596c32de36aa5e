import type { DocumentAttachment } from '../../config/index.ts';
import { isAlwaysEnforced, type LintListener, type LintRoute } from './context.ts';
import type { LintRule } from './finding.ts';

/** A route that is meant for everybody says so with `anonymous`; one that says nothing may have been forgotten. */
export const unauthenticatedRoute: LintRule = {
  id: 'unauthenticated-route',
  severity: 'warning',
  summary: 'A route that anybody may call, and that does not say so',
  *check({ routes }) {
    for (const route of routes) {
      yield undefined;
      if (isWellKnown(route) || route.attachments.some(asks)) continue;
      const open = route.listeners.filter((listener) => !isAsked(listener));
      if (open.length === 0) continue;
      const everywhere = open.length === route.listeners.length;
      const where = everywhere ? '' : ` on ${open.map(({ name }) => `"${name}"`).join(', ')}`;
      const sometimes = [...route.attachments, ...open.flatMap((l) => l.attachments)].find(asksSometimes);
      yield {
        path: route.path,
        message:
          sometimes === undefined
            ? `route "${route.name}" may be called by anybody${where}: no policy asks who calls`
            : `route "${route.name}" may be called by anybody${where}: ${sometimes.definition.name} does not ${lackOf(sometimes)}`,
        fix: 'attach a policy that proves who calls, or say that it is public: anonymous: { consumer: guest }',
      };
    }
  },
};

/** One of these decides by asking somebody else, without telling who it was. */
const OTHERS_DECIDE: ReadonlySet<string> = new Set(['external-auth']);

const isAboutCallers = ({ authenticates, definition }: DocumentAttachment): boolean =>
  authenticates || OTHERS_DECIDE.has(definition.name);

const asks = (a: DocumentAttachment): boolean =>
  isAboutCallers(a) && isAlwaysEnforced(a) && a.onError === 'reject';

const asksSometimes = (a: DocumentAttachment): boolean => isAboutCallers(a) && !asks(a);

function lackOf({ mode, when }: DocumentAttachment): string {
  if (mode !== 'enforce') return `act (mode: ${mode})`;
  return when === undefined ? 'refuse whom it cannot decide about (onError)' : 'ask where its when is false';
}

/** By its policies, or by certificates without which there is no connection. */
const isAsked = ({ attachments, plan }: LintListener): boolean =>
  attachments.some(asks) || plan.tls?.clients?.mode === 'required';

/** Metadata that is there to be read by everybody (RFC 8615), answered by the gateway itself. */
function isWellKnown({ attachments, config: { match } }: LintRoute): boolean {
  const answers = attachments.some((a) => a.definition.name === 'resource-metadata' && isAlwaysEnforced(a));
  return answers && (match.paths ?? [match.path ?? '']).every((path) => path.startsWith('/.well-known/'));
}
