import type { BanSubject, CompileDeps, PolicyContext } from '../../contract/index.ts';
import { keyDigest } from '../../lib/key-digest.ts';
import { RecentMap } from '../../lib/recent-map.ts';
import { type By, type CallerKeys, callerKeys } from '../../limits/index.ts';

/** Whom a request speaks against, and under which name that is counted. */
export interface Suspect {
  readonly subject: BanSubject;
  readonly scope: string;
  readonly key: string;
}

/** What names and ids are made of that may be shown to whoever lists the bans. */
const PLAIN = /^[A-Za-z0-9._:@/+=-]+(?: [A-Za-z0-9._:@/+=-]+)?$/;
const MAX_SHOWN = 128;
const DIGEST = 'sha256:';
/** Names that are remembered: a digest costs more than all else that is done for a request. */
const REMEMBERED = 1024;

/** Tells whom a request speaks against. One that cannot be told as asked is its address. */
export function suspects(
  by: By | undefined,
  deps: Pick<CompileDeps, 'attachment'>,
): (c: PolicyContext) => Suspect {
  const kind = by === undefined || (typeof by === 'object' && 'address' in by) ? 'address' : by;
  const keys: CallerKeys = callerKeys(kind, deps);
  const nameOf = kind === 'address' ? undefined : namesOf(kind, deps.attachment);
  return (c) => {
    const { scope, key } = keys(c);
    const isNamed = nameOf !== undefined && scope === deps.attachment;
    const subject = isNamed ? { caller: nameOf(key) } : { address: c.request.client };
    return { subject, scope, key };
  };
}

/** What a caller chose itself is a secret as likely as not: of it nothing but a digest is kept and shown. */
function namesOf(by: By, attachment: string): (key: string) => string {
  const known = new RecentMap<string, string>(REMEMBERED);
  return (key) => {
    const remembered = known.get(key);
    if (remembered !== undefined) return remembered;
    const name = typeof by === 'string' ? provedName(by, key) : `${attachment} ${keyDigest(key)}`;
    known.set(key, name);
    return name;
  };
}

const CONSUMER = 'consumer ';

/** A credential without an id is counted as its consumer, and named as that. */
function provedName(by: string, key: string): string {
  const isConsumer = by === 'credential' && key.startsWith(CONSUMER);
  return isConsumer ? `${CONSUMER}${shown(key.slice(CONSUMER.length))}` : `${by} ${shown(key)}`;
}

/** One that looks like the digest of another is told by its own, or who bears it could have that other one banned. */
function shown(name: string): string {
  const isPlain = name.length <= MAX_SHOWN && PLAIN.test(name) && !name.startsWith(DIGEST);
  return isPlain ? name : keyDigest(name);
}
