import { ConfigError } from '../../errors.ts';

/**
 * How the server is spoken to: not encrypted, encrypted with whoever answers, with one whose certificate is signed by
 * a known authority, or with one whose certificate is also for the host asked for.
 */
export type PostgresTls = 'disable' | 'require' | 'verify-ca' | 'verify-full';

/** Where a store in Postgres is. */
export interface PostgresAddress {
  /** Host name, address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  /** Of the tables. */
  readonly schema: string;
  readonly tls: PostgresTls;
}

export interface PostgresSettings extends Omit<PostgresAddress, 'password'> {
  /** Asked for each connection, so that a password may change while the gateway runs. Undefined for none. */
  readonly readPassword: () => string | undefined;
  /** Certificates that the server's is to be signed by, in PEM; undefined for those of the system. */
  readonly ca: string | undefined;
  /** No call waits longer for a connection, and none longer for what it asks, in milliseconds. Default 3000. */
  readonly timeoutMs?: number;
}

const FORM = 'write postgres://USER@HOST:5432/DATABASE';
const URL_FORM = /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^@/?#]*)\/([^/?#]+)(?:\?([^#]*))?$/;
const HOST_FORM = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/;
/** Room is left for what channels append: names have at most 63 bytes. */
const SCHEMA_FORM = /^[a-z_][a-z0-9_]{0,47}$/;
const SOCKET_FORM = /^\/[^\0]{1,90}$/;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/;

const DEFAULT_PORT = 5432;
const DEFAULT_USER = 'sallyport';
const DEFAULT_SCHEMA = 'sallyport';

const MODES: readonly PostgresTls[] = ['disable', 'require', 'verify-ca', 'verify-full'];

/** Reads the URL of a store in Postgres. Throws ConfigError, whose words never hold the URL: there may be a password in it. */
export function parsePostgresAddress(url: string): PostgresAddress {
  const match = URL_FORM.exec(url);
  if (match === null) throw fault('is no URL of a store', FORM);
  const [, userinfo, authority, path, query = ''] = match;
  const parameters = readParameters(query);
  const { host, port } = readHost(authority, parameters);
  const database = decoded(path);
  return {
    host,
    port,
    database,
    ...readUser(userinfo),
    ...readSchema(parameters),
    tls: readTls(parameters, host),
  };
}

/** As a person may see it. */
export function postgresText({ host, port, database, user }: Omit<PostgresAddress, 'password'>): string {
  const shown = host.includes(':') ? `[${host}]` : host;
  const place = host.startsWith('/') ? `/${database}?host=${host}` : `${shown}:${port}/${database}`;
  return `postgres://${encodeURIComponent(user)}@${place}`;
}

function readParameters(query: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const part of query === '' ? [] : query.split('&')) {
    const [name, value = '', ...more] = part.split('=');
    if (!['host', 'schema', 'sslmode'].includes(name) || more.length > 0 || found.has(name)) {
      throw fault(
        'asks for something unknown after "?"',
        'only host, schema and sslmode may stand there, once each',
      );
    }
    found.set(name, decoded(value));
  }
  return found;
}

function readHost(authority: string, parameters: ReadonlyMap<string, string>) {
  const socket = parameters.get('host');
  if (socket !== undefined) {
    if (authority !== '' || !SOCKET_FORM.test(socket)) {
      throw fault(
        'names no folder of a socket in "host"',
        'write postgres://USER@/DATABASE?host=/var/run/postgresql',
      );
    }
    return { host: socket, port: DEFAULT_PORT };
  }
  const match = HOST_FORM.exec(authority);
  const port = Number(match?.[3] ?? DEFAULT_PORT);
  if (match === null || port < 1 || port > 65_535) throw fault('names a host that is none', FORM);
  return { host: match[1] ?? match[2], port };
}

function readUser(userinfo = ''): Pick<PostgresAddress, 'user' | 'password'> {
  const colon = userinfo.indexOf(':');
  const user = decoded(colon === -1 ? userinfo : userinfo.slice(0, colon));
  const password = colon === -1 ? '' : decoded(userinfo.slice(colon + 1));
  return { user: user === '' ? DEFAULT_USER : user, password: password === '' ? undefined : password };
}

function readSchema(parameters: ReadonlyMap<string, string>): Pick<PostgresAddress, 'schema'> {
  const schema = parameters.get('schema') ?? DEFAULT_SCHEMA;
  if (SCHEMA_FORM.test(schema) && !schema.startsWith('pg_')) return { schema };
  throw fault('names a schema that cannot be', 'small letters, digits and "_", at most 48');
}

/** Beyond this machine nobody is believed without a certificate, unless it is said otherwise. */
function readTls(parameters: ReadonlyMap<string, string>, host: string): PostgresTls {
  const isHere = host.startsWith('/') || LOOPBACK.test(host);
  const asked = parameters.get('sslmode') ?? (isHere ? 'disable' : 'verify-full');
  const mode = MODES.find((known) => known === asked);
  if (mode !== undefined) return mode;
  const suggestion = `write ${MODES.join(', ')}; what falls back to no encryption is not offered`;
  throw fault('has an unknown sslmode', suggestion);
}

function decoded(text: string): string {
  try {
    const plain = decodeURIComponent(text);
    // It would end the name where the server reads it.
    if (!plain.includes('\0')) return plain;
  } catch {
    // Told below.
  }
  throw fault('has a part that is not percent-encoded', 'write %25 for a percent sign, %40 for "@"');
}

const fault = (message: string, suggestion: string): ConfigError =>
  ConfigError.at('--store', message, suggestion);
