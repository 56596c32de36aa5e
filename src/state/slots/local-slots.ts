import type { Slot, SlotOutcome, SlotRule } from '../../contract/index.ts';
import { assertSlotRule } from './slot-rule.ts';

/**
 * Places among those under way, counted in this thread alone and without waiting: for tests, replay and evaluation
 * offline, where requests come one after the other and nobody would ever give a place back meanwhile.
 */
export class LocalSlots {
  readonly #held = new Map<string, number>();

  acquire(scope: string, key: string, rule: SlotRule): SlotOutcome {
    assertSlotRule(rule);
    const name = `${scope}\n${key}`;
    const held = this.#held.get(name) ?? 0;
    if (held >= rule.limit) return { granted: false, why: rule.queue > 0 ? 'timeout' : 'full', held };
    this.#held.set(name, held + 1);
    return { granted: true, slot: this.#slot(name), held: held + 1 };
  }

  #slot(name: string): Slot {
    let isHeld = true;
    return {
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        const left = (this.#held.get(name) ?? 1) - 1;
        if (left === 0) this.#held.delete(name);
        else this.#held.set(name, left);
      },
    };
  }
}
