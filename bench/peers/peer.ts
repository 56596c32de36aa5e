import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuSeconds, processTree } from '../lib/proc.ts';

/** Something that stands between load and upstream, measured from outside. */
export interface Peer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** CPU time (user and system) of all its processes and threads since they started, in seconds. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}

/** Where a peer runs and what it does. */
export interface PeerOptions {
  readonly port: number;
  readonly upstreamPort: number;
  /** The one core it may use; undefined for any. */
  readonly core?: number;
}

/** A command line that keeps its process on one core. */
export function pinned(core: number | undefined, command: readonly string[]): string[] {
  return core === undefined ? [...command] : ['taskset', '-c', String(core), ...command];
}

/** Starts a peer from a generated file (`FILE` in the command stands for its path) and waits until it listens. */
export async function startPeer(parts: {
  readonly name: string;
  readonly port: number;
  readonly core: number | undefined;
  readonly command: readonly string[];
  readonly config: (folder: string) => string;
}): Promise<Peer> {
  const folder = await mkdtemp(join(tmpdir(), `peer-${parts.name}-`));
  const file = join(folder, 'config');
  await writeFile(file, parts.config(folder));
  const [program, ...args] = pinned(
    parts.core,
    parts.command.map((a) => (a === 'FILE' ? file : a)),
  );
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], cwd: folder });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  await listens(parts.port, child, () => errors);
  const pid = child.pid ?? 0;
  return {
    name: parts.name,
    port: parts.port,
    pid,
    cpuSeconds: () => processTree(pid).reduce((sum, p) => sum + cpuSeconds(p), 0),
    stop: async () => {
      await stopProcess(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** SIGTERM, then SIGKILL after five seconds. */
export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await exited;
  clearTimeout(timer);
}

/** Resolves once `port` accepts; rejects with what the process said when it exits first or ten seconds pass. */
export async function listens(port: number, child: ChildProcess, errors: () => string): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`exited with ${child.exitCode}: ${errors()}`);
    if (performance.now() > deadline) throw new Error(`nothing listens on ${port}: ${errors()}`);
    const socket = connect(port, '127.0.0.1');
    const [event] = await Promise.race([
      once(socket, 'connect').then(() => ['connect']),
      once(socket, 'error').then(
        () => ['error'],
        () => ['error'],
      ),
    ]).catch(() => ['error']);
    socket.destroy();
    if (event === 'connect') return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
