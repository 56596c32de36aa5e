/** What every CounterState must do, run by the tests of each. */
import { describe } from 'node:test';
import { callersContract } from './state/callers.ts';
import { chargesContract } from './state/charges.ts';
import { clockStepsContract } from './state/clock-steps.ts';
import type { Create, Effort } from './state/counters.ts';
import { ratesContract } from './state/rates.ts';
import { refundsContract } from './state/refunds.ts';
import { sumsContract } from './state/sums.ts';
import { windowsContract } from './state/windows.ts';

/** Registers the suite. `create` gives counters that know no key. */
export function counterStateContract(name: string, create: Create, effort: Effort = {}): void {
  describe(`${name} keeps the contract of counters`, () => {
    ratesContract(create, effort);
    windowsContract(create);
    chargesContract(create, effort);
    refundsContract(create, effort);
    sumsContract(create, effort);
    clockStepsContract(create, effort);
    callersContract(create, effort);
  });
}
