import { freePort } from '../../test/fixtures/gateway.ts';
import { startOrigin } from '../peers/origin.ts';
import type { Peer } from '../peers/peer.ts';
import { LOAD_CORE } from './lanes.ts';

/** Starts the upstream, runs `body`, and stops whatever `body` registered, in reverse order, however it ends. */
export async function onStage<T>(
  body: (stage: { readonly originPort: number; add(peer: Promise<Peer>): Promise<Peer> }) => Promise<T>,
): Promise<T> {
  const peers: Peer[] = [await startOrigin({ port: await freePort(), core: LOAD_CORE })];
  const originPort = peers[0].port;
  const add = async (starting: Promise<Peer>) => {
    const peer = await starting;
    peers.push(peer);
    return peer;
  };
  try {
    return await body({ originPort, add });
  } finally {
    for (const peer of peers.reverse()) await peer.stop();
  }
}
