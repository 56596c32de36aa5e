import type { Clock, Gauge, Logger } from '../../contract/index.ts';
import type { QuotaNote, SharedCounters, SharedQuotas } from '../../state/index.ts';
import type { Store } from '../../store/index.ts';
import { NameLedger } from './name-ledger.ts';
import { QuotaDesk } from './quota-desk.ts';
import { QuotaKeeper } from './quota-keeper.ts';
import { UsageLedger } from './quota-ledger.ts';
import { TableLevels } from './quota-levels.ts';
import { SharedLevels } from './shared-levels.ts';

export interface QuotasDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined while there is no usable store. */
  readonly store: () => Store | undefined;
  /** What this node counts by itself. */
  readonly table: Pick<SharedCounters, 'readQuota' | 'restoreQuota' | 'changeQuota'>;
  /** Which quotas workers charged since this was last asked. */
  readonly collectQuotas: () => Promise<readonly QuotaNote[]>;
  /** `sallyport_quotas_not_kept`. */
  readonly notKept: Gauge;
  /** Connects to where several nodes count together; undefined where this one counts alone. */
  readonly shared: (() => Promise<SharedQuotas>) | undefined;
  /** See `NameLedgerDeps`. */
  readonly maxNames?: number;
}

/** Those who keep what is known of quotas, and look after it. */
export interface Quotas {
  readonly keeper: QuotaKeeper;
  readonly desk: QuotaDesk;
}

/** Opens both, for a node that counts alone or one of several. */
export function openQuotas(deps: QuotasDeps): Quotas {
  const { clock, table, shared } = deps;
  const ledger = shared === undefined ? new UsageLedger(table) : new NameLedger(deps);
  const levels = shared === undefined ? new TableLevels(table, clock) : new SharedLevels(shared);
  const keeper = new QuotaKeeper({ ...deps, ledger });
  return { keeper, desk: new QuotaDesk({ ...deps, keeper, levels, isShared: shared !== undefined }) };
}
