import { type Document, type GatewayOptions, startGateway } from '../../test/fixtures/gateway.ts';
import type { Peer } from '../peers/peer.ts';
import { MEASURED_CORE } from './lanes.ts';
import { cpuSeconds } from './proc.ts';

/** The gateway as a user starts it, on the measured core, with one worker and no admin side. */
export async function startSallyport(
  name: string,
  document: Document,
  options: GatewayOptions = {},
): Promise<Peer> {
  const gateway = await startGateway(document, {
    launcher: ['taskset', '-c', String(MEASURED_CORE)],
    ...options,
  });
  return {
    name,
    port: gateway.port,
    pid: gateway.pid,
    cpuSeconds: () => cpuSeconds(gateway.pid),
    stop: () => gateway.stop(),
  };
}
