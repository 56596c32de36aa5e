/** What a message's `Connection` fields say (RFC 9110 §7.6.1), in lower case. */
export interface ConnectionOptions {
  readonly close: boolean;
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
  /** Names of fields meant for this hop only, beyond the well-known ones. */
  readonly nominated: readonly string[];
}

const NONE: readonly string[] = Object.freeze([]);

export const NO_CONNECTION_OPTIONS: ConnectionOptions = Object.freeze({
  close: false,
  keepAlive: false,
  upgrade: false,
  nominated: NONE,
});

const KEEP_ALIVE: ConnectionOptions = Object.freeze({ ...NO_CONNECTION_OPTIONS, keepAlive: true });
const CLOSE: ConnectionOptions = Object.freeze({ ...NO_CONNECTION_OPTIONS, close: true });

export function parseConnectionOptions(value: string, before: ConnectionOptions): ConnectionOptions {
  if (before === NO_CONNECTION_OPTIONS) {
    if (value === 'keep-alive' || value === 'Keep-Alive') return KEEP_ALIVE;
    if (value === 'close') return CLOSE;
  }
  let { close, keepAlive, upgrade } = before;
  const nominated = [...before.nominated];
  for (const part of value.split(',')) {
    const option = part.trim().toLowerCase();
    if (option === 'close') close = true;
    else if (option === 'keep-alive') keepAlive = true;
    else if (option === 'upgrade') upgrade = true;
    else if (option !== '') nominated.push(option);
  }
  return { close, keepAlive, upgrade, nominated };
}
