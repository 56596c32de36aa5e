import type { QuotaChange } from './quota-store.ts';

/** What is done for a caller by hand: all that it used is given back, or its limit is so much more until the window ends. */
export type QuotaRelief = { readonly kind: 'reset' } | { readonly kind: 'grant'; readonly amount: number };

/** On top of a limit: more would not be counted exactly. */
export const MAX_EXTRA = 2 ** 52;

/** What a quota stands at after it; undefined where that would be too much. `CHANGE_QUOTA` does the same in a store. */
export function relieve({ used, carried }: QuotaChange, relief: QuotaRelief): QuotaChange | undefined {
  if (relief.kind === 'reset') return { used: 0, carried };
  const extra = carried + relief.amount;
  return extra > MAX_EXTRA ? undefined : { used, carried: extra };
}
