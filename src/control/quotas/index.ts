export { type KeptQuotas, keepQuotas } from './keep.ts';
export { openQuotas, type Quotas, type QuotasDeps } from './open.ts';
export type { QuotaDesk, QuotaListQuery } from './quota-desk.ts';
