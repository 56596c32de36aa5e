export { QuotaDesk, type QuotaDeskDeps, type QuotaListQuery } from './quota-desk.ts';
export { QuotaKeeper, type QuotaKeeperDeps } from './quota-keeper.ts';
