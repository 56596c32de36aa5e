import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { cpuSeconds } from '../lib/proc.ts';
import { listens, type Peer, type PeerOptions, pinned, stopProcess } from './peer.ts';

/** The small `node:http` + undici proxy beside this file, as the way not taken. */
export async function startNodeUndici(options: PeerOptions): Promise<Peer> {
  const script = join(import.meta.dirname, 'node-undici.mjs');
  const command = [process.execPath, script, String(options.port), String(options.upstreamPort)];
  const [program, ...args] = pinned(options.core, command);
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  await listens(options.port, child, () => errors);
  const pid = child.pid ?? 0;
  return {
    name: 'node:http + undici',
    port: options.port,
    pid,
    cpuSeconds: () => cpuSeconds(pid),
    stop: () => stopProcess(child),
  };
}
