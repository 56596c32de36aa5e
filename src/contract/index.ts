export type * from './consumer.ts';
export * from './decision.ts';
export type * from './deps.ts';
export type * from './meter.ts';
export type * from './policy.ts';
export type * from './record.ts';
export type * from './request.ts';
export type * from './snapshot.ts';
export type * from './state.ts';
