import { after, before } from 'node:test';
import { slotsContract } from '../../../test/contract/slots.contract.ts';
import { counterStateContract } from '../../../test/contract/state.contract.ts';
import { NO_STATE } from '../../../test/fixtures/nobody-there.ts';
import { RedisServer } from '../../../test/fixtures/redis-server.ts';
import { createSystemRandom, systemClock } from '../../lib/system.ts';
import { createMeter } from '../../observability/index.ts';
import { connectStore } from './client.ts';
import { LiveScriptStore } from './script-store.ts';
import { StoreCounters } from './store-counters.ts';
import { StoreNames } from './store-names.ts';
import { parseStoreAddress } from './store-settings.ts';

let server: RedisServer;
let store: LiveScriptStore;
before(async () => {
  server = await RedisServer.start();
  const settings = { ...parseStoreAddress(server.url), ca: undefined, timeoutMs: 10_000, node: 'n' };
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  store = new LiveScriptStore(await connectStore(settings), settings, {
    clock: systemClock,
    random: createSystemRandom(),
    meter: createMeter(),
    log,
  });
  await store.firstAnswer(10_000);
});
after(async () => {
  store.close();
  await server.stop();
});

let fleets = 0;

const fresh = (): StoreCounters => {
  fleets++;
  return new StoreCounters({
    store,
    names: new StoreNames(`f${fleets}`),
    fleet: { nodes: 1, workers: 1 },
    // Whatever the store does not answer is a fault here.
    memory: NO_STATE,
    clock: systemClock,
    random: createSystemRandom(),
    worker: 'w',
    time: 'evaluation',
  });
};

counterStateContract('counters in a store', fresh, { share: 0.3 });
slotsContract('a store', () => [fresh()], { waits: true, runs: 30 });
