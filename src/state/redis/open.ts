import type { CounterState } from '../../contract/index.ts';
import { connectStore } from './client.ts';
import { Fleet } from './fleet.ts';
import { LiveScriptStore, type StoreTools } from './script-store.ts';
import { type StoreCounterParts, StoreCounters } from './store-counters.ts';
import { StoreNames } from './store-names.ts';
import type { StoreSettings } from './store-settings.ts';

/** A store that is not there delays the start by no more than this; then the rules say what counts meanwhile. */
const FIRST_ANSWER_MS = 1000;

/** Counters in a store, as one thread uses them. */
export interface OpenStoreCounters {
  readonly state: CounterState;
  /** Gives back what this thread holds, and closes the connection. */
  close(): Promise<void>;
}

/**
 * Connects to the store. `memory` counts while the store does not answer. `worker` tells the threads of this process
 * apart; `time` is as `StoreCounters` has it. Resolves also where the store is not there.
 */
export async function openStore(
  settings: StoreSettings,
  memory: CounterState,
  worker: string,
  tools: StoreTools,
  time: StoreCounterParts['time'] = 'store',
): Promise<OpenStoreCounters> {
  const client = await connectStore(settings);
  const store = new LiveScriptStore(client, settings, tools);
  const names = new StoreNames(settings.prefix);
  const id = `${settings.node}:${worker}`;
  const fleet = new Fleet(store, names.fleet, settings.node, id);
  const { clock, random } = tools;
  const state = new StoreCounters({ store, names, fleet, memory, clock, random, worker: id, time });
  store.onFound = () => state.found();
  await store.firstAnswer(FIRST_ANSWER_MS);
  await fleet.join();
  return {
    state,
    async close() {
      state.close();
      await fleet.leave();
      store.close();
    },
  };
}
