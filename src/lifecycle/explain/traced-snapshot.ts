import type {
  Attachment,
  Awaitable,
  ListenerPlan,
  Pipeline,
  Policy,
  PolicyContext,
  RouteMatch,
  Snapshot,
} from '../../contract/index.ts';
import { ObservedContext } from './observed-context.ts';
import type { Trace, TracedPart } from './trace.ts';

/** How a plan is looked at: which attachments there are, and in which mode. Undefined: it is not there. */
export type Departure = (attachment: Attachment) => Attachment | undefined;

export const AS_IT_IS: Departure = (attachment) => attachment;

/** A snapshot whose attachments are watched while they judge. Nothing is compiled again. */
export function tracedSnapshot(snapshot: Snapshot, trace: Trace, departure: Departure): Snapshot {
  const known = new Map<Attachment, Attachment | undefined>();
  const seen = (attachment: Attachment): Attachment | undefined => {
    if (!known.has(attachment)) {
      const there = departure(attachment);
      known.set(attachment, there && tracedAttachment(there, trace.of(there.id)));
    }
    return known.get(attachment);
  };
  return { ...snapshot, listeners: snapshot.listeners.map((listener) => tracedListener(listener, seen)) };
}

type Seen = (attachment: Attachment) => Attachment | undefined;

function tracedListener(listener: ListenerPlan, seen: Seen): ListenerPlan {
  const { router } = listener;
  const matched = (match: RouteMatch): RouteMatch => {
    if (match.kind !== 'found') return match;
    return { ...match, route: { ...match.route, pipeline: tracedPipeline(match.route.pipeline, seen) } };
  };
  return {
    ...listener,
    pipeline: tracedPipeline(listener.pipeline, seen),
    router: { match: (host, path, method, headers) => matched(router.match(host, path, method, headers)) },
  };
}

function tracedPipeline(pipeline: Pipeline, seen: Seen): Pipeline {
  const those = (list: readonly Attachment[]): readonly Attachment[] =>
    list.flatMap((attachment) => seen(attachment) ?? []);
  const requestBody = those(pipeline.requestBody);
  return {
    request: those(pipeline.request),
    requestBody,
    response: those(pipeline.response),
    responseChunk: those(pipeline.responseChunk),
    buffersBody: requestBody.some(({ body }) => body === 'buffer'),
  };
}

function tracedAttachment(attachment: Attachment, part: TracedPart): Attachment {
  // One for each request: policies go by it from phase to phase.
  const contexts = new WeakMap<PolicyContext, PolicyContext>();
  const observed = (c: PolicyContext): PolicyContext => {
    let context = contexts.get(c);
    if (context === undefined) {
      context = new ObservedContext(c, part);
      contexts.set(c, context);
    }
    return context;
  };
  const { when, instance } = attachment;
  return {
    ...attachment,
    when: when && ((c) => timed(part, () => when(observed(c)))),
    instance: tracedPolicy(instance, part, observed),
  };
}

/** The policy itself but for the phases before the upstream, in which it is watched. */
function tracedPolicy(
  policy: Policy,
  part: TracedPart,
  observed: (c: PolicyContext) => PolicyContext,
): Policy {
  const request = policy.request?.bind(policy);
  const wantsBody = policy.wantsBody?.bind(policy);
  const requestBody = policy.requestBody?.bind(policy);
  const watched: Policy = {
    ...(request && { request: (c) => timedLater(part, () => request(observed(c))) }),
    ...(wantsBody && { wantsBody: (c) => wantsBody(observed(c)) }),
    ...(requestBody && { requestBody: (c, body) => timedLater(part, () => requestBody(observed(c), body)) }),
  };
  return new Proxy(policy, { get: (target, key) => Reflect.get(key in watched ? watched : target, key) });
}

function timed<T>(part: TracedPart, work: () => T): T {
  const startMs = performance.now();
  try {
    return work();
  } finally {
    part.spentMs += performance.now() - startMs;
  }
}

function timedLater<T>(part: TracedPart, work: () => Awaitable<T>): Awaitable<T> {
  const startMs = performance.now();
  const end = (): void => {
    part.spentMs += performance.now() - startMs;
  };
  const answer = work();
  if (answer instanceof Promise) return answer.finally(end);
  end();
  return answer;
}
