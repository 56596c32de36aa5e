import { connect } from 'node:net';
import { ConfigError, type ConfigIssue } from '../errors.ts';

export interface ListenAddress {
  /** Path in the document, for the message. */
  readonly path: string;
  readonly host: string;
  readonly port: number;
}

/** Longest wait for an answer; on this machine's own addresses it comes at once. */
const PROBE_TIMEOUT_MS = 500;

/**
 * Refuses addresses on which another program answers. The workers share their ports (SO_REUSEPORT), and with
 * it the system lets a second gateway of the same user in as well: half of the requests would silently go to
 * each. To try is the only way to know. Throws ConfigError.
 */
export async function refuseTaken(addresses: readonly ListenAddress[]): Promise<void> {
  const issues = await Promise.all(
    addresses.map(async (address): Promise<ConfigIssue | undefined> => {
      const { path, host, port } = address;
      if (port === 0) return { path, ...NO_PORT };
      if (!(await answers(address))) return undefined;
      return { path, ...takenMessage(host, port) };
    }),
  );
  const found = issues.filter((issue) => issue !== undefined);
  if (found.length > 0) throw new ConfigError(found);
}

/** The system would choose another port in each worker. */
const NO_PORT = { message: 'port 0 cannot be served', suggestion: 'choose a port' };

const takenMessage = (host: string, port: number) => ({
  message: `${host}:${port} is in use by another program`,
  suggestion: `end that program (find it with: ss -ltnp 'sport = :${port}') or choose another port`,
});

const EVERY_ADDRESS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

function answers({ host, port }: ListenAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: EVERY_ADDRESS[host] ?? host, port });
    const end = (isTaken: boolean) => {
      socket.destroy();
      resolve(isTaken);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
