import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Random } from '../../contract/index.ts';
import { NodeIdentity, type StoreState } from '../../store/index.ts';
import type { BoundAddress } from '../worker-protocol.ts';
import { NodeWatch, type NodeWatchDeps } from './node-watch.ts';
import { type OwnFacts, ownStatus } from './own-status.ts';

export interface NodesDeps extends Pick<NodeWatchDeps, 'clock' | 'log' | 'meter' | 'store' | 'version'> {
  readonly random: Random;
  /** Folder in which the id of the node is kept. */
  readonly data: string;
  /** Default: the name of the machine. */
  readonly name: string | undefined;
  readonly activation: OwnFacts['activation'];
  readonly pool: {
    status(): OwnFacts['workers'];
    addresses(): Promise<readonly BoundAddress[]>;
  };
  readonly publisher: Pick<OwnFacts, 'refusal'>;
  readonly storeState: () => StoreState;
  readonly followed: () => OwnFacts['followed'];
}

const ID_BYTES = 8;

/** Looks after this node's place among those that have one store. Nothing is said before it is started. */
export function openNodes({ data, random, name = hostname(), ...deps }: NodesDeps): NodeWatch {
  const newId = (): string => random.hex(ID_BYTES);
  const { activation, pool, publisher, storeState, followed } = deps;
  return new NodeWatch({
    ...deps,
    name,
    identity: new NodeIdentity(join(data, 'node-id'), newId),
    run: newId(),
    status: () =>
      ownStatus({
        activation,
        workers: pool.status(),
        storeState: storeState(),
        refusal: publisher.refusal,
        followed: followed(),
      }),
    listeners: async () =>
      (await pool.addresses()).map(({ listener, host, port }) => ({ name: listener, host, port })),
    repeat: (work, everyMs) => {
      const timer = setInterval(work, everyMs);
      timer.unref();
      return () => clearInterval(timer);
    },
  });
}
