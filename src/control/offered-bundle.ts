import type { Bundle } from '../config/index.ts';
import type { RolloutPlan } from '../contract/index.ts';
import type { Finding } from '../lifecycle/index.ts';
import type { ListsInService } from './live/feeds.ts';

/** What is offered to the workers, with its text for the store. */
export interface OfferedBundle extends Bundle {
  /** The document as it was sent; of a folder, its parts as one JSON text. */
  readonly text: string;
  readonly lists: ListsInService;
  /** How the document says that a revision of it goes live; undefined where it does not. */
  readonly rollout: RolloutPlan | undefined;
  /** Names what is written in the document, whatever its files hold. */
  readonly documentHash: string;
  /** What the lint has to say of it, but for errors; undefined where it was not asked. */
  readonly findings?: readonly Finding[];
}

/** The files a bundle was read from beside the document, those of its secrets included: content by name. */
export function filesOf({
  files,
  secrets,
  binaries,
}: Pick<OfferedBundle, 'files' | 'secrets' | 'binaries'>): Record<string, string | Uint8Array> {
  const inFiles = Object.entries(secrets).filter(([reference]) => reference.startsWith(FILE));
  return {
    ...Object.fromEntries(inFiles.map(([reference, text]) => [reference.slice(FILE.length), text])),
    ...Object.fromEntries(Object.entries(binaries).map(([name, { bytes }]) => [name, bytes])),
    ...files,
  };
}

const FILE = 'file:';

/** Whether two bundles would be served alike: of one revision, and with the same secrets. */
export function isSameBundle(a: OfferedBundle, b: OfferedBundle): boolean {
  if (a.revision !== b.revision) return false;
  const before = Object.entries(a.secrets);
  return (
    before.length === Object.keys(b.secrets).length &&
    before.every(([reference, value]) => b.secrets[reference] === value)
  );
}
