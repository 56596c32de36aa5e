import type { Identity, RequestView } from '../../contract/index.ts';
import type { HeaderList } from '../../lib/header-list.ts';
import { shownTarget } from '../replay/example.ts';
import type { TracedPart } from './trace.ts';

/** Parts of a view that say nothing, or are told by what is read of them. */
const UNTOLD: ReadonlySet<string> = new Set(['id', 'withheld', 'httpVersion']);
/** Ways to ask a list of fields for one of them. */
const ASKING: ReadonlySet<string> = new Set(['get', 'getAll', 'sole', 'count', 'has']);

/** The request as a policy sees it; what it reads is noted. */
export function observedRequest(view: RequestView, part: TracedPart): RequestView {
  const headers = observedHeaders(view.headers, part);
  return new Proxy(view, {
    get(target, key) {
      if (key === 'headers') return headers;
      const value: unknown = Reflect.get(target, key);
      if (key === 'client' || key === 'peer') part.looked(`request.${key}`, target[key].text);
      else if (key === 'target') part.looked('request.target', shownTarget(target.target));
      else if (key === 'query') part.looked('request.query', shownTarget(`?${target.query}`).slice(1));
      else if (typeof key === 'string' && !UNTOLD.has(key)) part.looked(`request.${key}`, value);
      return value;
    },
  });
}

function observedHeaders(headers: HeaderList, part: TracedPart): HeaderList {
  const looked = (name: string): void => part.looked(`request.headers.${name}`, headers.get(name));
  return new Proxy(headers, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key);
      if (typeof member !== 'function') return member;
      // Who goes through all of them may have looked at any.
      if (key === Symbol.iterator) for (const [name] of target) looked(name.toLowerCase());
      return (...args: unknown[]): unknown => {
        const answer: unknown = Reflect.apply(member, target, args);
        const [name] = args;
        if (typeof name === 'string' && typeof key === 'string' && ASKING.has(key)) looked(name);
        return answer;
      };
    },
  });
}

/** Who calls, as a policy sees it. */
export function observedIdentity(identity: Identity, part: TracedPart): Identity {
  const claims = watching(identity.claims, (key, value) => part.looked(`identity.claims.${key}`, value));
  return new Proxy(identity, {
    get(target, key) {
      if (key === 'claims') return claims;
      const value: unknown = Reflect.get(target, key);
      if (key === 'credential') part.looked('identity.kind', target.credential?.kind);
      else if (typeof key === 'string') part.looked(`identity.${key}`, value);
      return value;
    },
  });
}

/** A table as it is; what is read of it is told. */
export function watching<T extends object>(table: T, told: (key: string, value: unknown) => void): T {
  return new Proxy(table, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof key === 'string') told(key, value);
      return value;
    },
  });
}
