import { hash } from 'node:crypto';
import type { BanSubject, CompileDeps, PolicyContext } from '../../contract/index.ts';
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
/** 96 bits: nobody finds another value of the same digest, to have its bearer banned. */
const DIGEST_LENGTH = 24;
const DIGEST = 'sha256:';

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
  if (typeof by !== 'string') return (key) => `${attachment} ${digestOf(key)}`;
  return (key) => {
    if (by === 'credential' && key.startsWith('consumer ')) return `consumer ${shown(key.slice(9))}`;
    return `${by} ${shown(key)}`;
  };
}

/** One that looks like the digest of another is told by its own, or who bears it could have that other one banned. */
function shown(name: string): string {
  const isPlain = name.length <= MAX_SHOWN && PLAIN.test(name) && !name.startsWith(DIGEST);
  return isPlain ? name : `${DIGEST}${digestOf(name)}`;
}

const digestOf = (value: string): string => hash('sha256', value, 'hex').slice(0, DIGEST_LENGTH);
