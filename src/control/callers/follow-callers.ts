import type { TableConsumer } from '../../state/index.ts';
import type { ConsumerStore, StoreChange, StoredCredential } from '../../store/index.ts';
import type { CallerDeps } from './caller-book.ts';
import { SealError } from './master-keys.ts';
import { tableConsumer, tableCredential } from './table-rows.ts';

const PAGE = 1000;

type FollowDeps = Pick<CallerDeps, 'table' | 'keys' | 'log'> & {
  readonly consumers: ConsumerStore;
};

/**
 * Brings consumers and credentials that another node has changed into the table, as they stand in the store now. One
 * after the other, so that what came first takes effect first. Rejects with StoreError.
 */
export async function followCallers(deps: FollowDeps, changes: readonly StoreChange[]): Promise<void> {
  // However often something has changed, it stands as it stands.
  const seen = new Set<string>();
  for (const { topic, subject } of changes) {
    const place = `${topic} ${subject}`;
    if (seen.has(place)) continue;
    seen.add(place);
    if (topic === 'consumers') await followConsumer(deps, subject);
    if (topic === 'credentials') await followCredential(deps, subject);
  }
}

async function followConsumer(deps: FollowDeps, name: string): Promise<void> {
  const { table, consumers } = deps;
  const entry = await consumers.getConsumer(name);
  const credentials = await activeOf(deps, name);
  if (entry !== undefined) table.putConsumer(tableConsumer(entry));
  // The document says who that is.
  else if (credentials.length > 0) table.putConsumer(ofDocument(name));
  // Those that went with a consumer of that name.
  table.keepCredentialsOf(name, new Set(credentials.map(({ id }) => id)));
  if (entry === undefined && credentials.length === 0) table.removeConsumer(name);
  else for (const credential of credentials) put(deps, credential);
}

async function followCredential(deps: FollowDeps, id: string): Promise<void> {
  const { table, consumers } = deps;
  const row = await consumers.getCredential(id);
  // It went with its consumer, which is told as well.
  if (row === undefined) return;
  if (row.revokedAt === undefined) return put(deps, row);
  // Its heir may be found by the same, and is told as well: it takes the place over.
  if (!(await consumers.hasActive(row.kind, row.lookup))) table.removeCredential(row.kind, row.lookup);
}

async function activeOf({ consumers }: FollowDeps, consumer: string): Promise<StoredCredential[]> {
  const found: StoredCredential[] = [];
  for (let before: number | undefined; ; ) {
    const page = await consumers.listCredentials({ limit: PAGE, before, consumer });
    found.push(...page.filter(({ revokedAt }) => revokedAt === undefined));
    before = page.at(-1)?.number;
    if (before === undefined) return found;
  }
}

const ofDocument = (name: string): TableConsumer => ({
  name,
  groups: [],
  isDisabled: false,
  isOfDocument: true,
});

/** What cannot be decrypted is left out, as at the start. */
function put({ table, keys, log }: FollowDeps, credential: StoredCredential): void {
  const { id, consumer } = credential;
  try {
    const row = tableCredential(credential, keys);
    if (!table.hasConsumer(consumer)) {
      table.putConsumer(ofDocument(consumer));
    }
    table.putCredential(row);
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    log.error('credential-unreadable', { credential: id, consumer, reason: error.message });
  }
}
