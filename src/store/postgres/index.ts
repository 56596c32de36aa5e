import type { StoreHealth } from '../health.ts';
import type { Store } from '../store.ts';
import type { PostgresSettings } from './settings.ts';

export {
  type PostgresAddress,
  type PostgresSettings,
  type PostgresTls,
  parsePostgresAddress,
  postgresText,
} from './settings.ts';

/** See the module, which is loaded by the first who asks for it: most gateways have their store on disk. */
export async function openPostgresStore(settings: PostgresSettings, health?: StoreHealth): Promise<Store> {
  const { openPostgresStore: open } = await import('./store.ts');
  return await open(settings, health);
}
