import { ConfigError } from '../../errors.ts';

/** A host and port of the store. */
interface StoreHost {
  readonly host: string;
  readonly port: number;
}

/** Where the store is. `sentinel`: the hosts are sentinels, and `name` the primary they are asked for. */
export interface StoreAddress {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  readonly hosts: readonly StoreHost[];
  readonly name: string | undefined;
  readonly isTls: boolean;
  /** Number of the database; a cluster has but 0. */
  readonly database: number;
  /** Begins every key, so that several fleets can share a store. */
  readonly prefix: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** All that a thread needs to ask the store. Survives `structuredClone`. */
export interface StoreSettings extends StoreAddress {
  /** Certificates that the store's is to be signed by, in PEM; undefined for those of the system. */
  readonly ca: string | undefined;
  /** No request waits longer for the store in all, in milliseconds. */
  readonly timeoutMs: number;
  /** Of this process; new with each start. */
  readonly node: string;
}

const STORE_FORMS =
  'redis://HOST:6379, redis+sentinel://HOST:26379,HOST:26379/NAME or redis+cluster://HOST:6379,HOST:6379, with rediss for TLS';

const URL_FORM =
  /^(redis|valkey)(s?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(\/[^?#]*)?(?:\?([^#]*))?$/;
const HOST_FORM = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/;
const PREFIX_FORM = /^[A-Za-z0-9._-]{1,64}$/;
const NAME_FORM = /^[A-Za-z0-9._-]{1,128}$/;

const DEFAULT_PORT = 6379;
const DEFAULT_SENTINEL_PORT = 26379;
const DEFAULT_PREFIX = 'sp';

/** Reads the URL of a store. Throws ConfigError, whose words never hold the URL: there may be a password in it. */
export function parseStoreAddress(url: string): StoreAddress {
  const match = URL_FORM.exec(url);
  if (match === null) throw fault('is no URL of a store', `write ${STORE_FORMS}`);
  const [, , tls, mode, userinfo, hosts, path = '', query = ''] = match;
  const kind = mode === 'sentinel' || mode === 'cluster' ? mode : 'single';
  return {
    kind,
    hosts: readHosts(hosts, kind),
    isTls: tls === 's',
    ...readPath(path, kind),
    prefix: readQuery(query),
    ...readUser(userinfo),
  };
}

/** As a person may see it. */
export function storeAddressText({ kind, hosts, name, isTls, database }: StoreAddress): string {
  const scheme = `redis${isTls ? 's' : ''}${kind === 'single' ? '' : `+${kind}`}`;
  const shown = hosts.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`);
  const path = `${name === undefined ? '' : `/${name}`}${database === 0 ? '' : `/${database}`}`;
  return `${scheme}://${shown.join(',')}${path}`;
}

function readHosts(text: string, kind: StoreAddress['kind']): StoreHost[] {
  const hosts = text.split(',').map((one) => {
    const match = HOST_FORM.exec(one);
    const port = Number(match?.[3] ?? (kind === 'sentinel' ? DEFAULT_SENTINEL_PORT : DEFAULT_PORT));
    if (match === null || port < 1 || port > 65535) {
      throw fault('names a host that is none', 'write HOST:PORT, and [v6]:PORT for an IPv6 address');
    }
    return { host: match[1] ?? match[2], port };
  });
  if (kind === 'single' && hosts.length > 1) {
    throw fault('names several hosts', 'write redis+sentinel:// or redis+cluster:// for what they are');
  }
  return hosts;
}

function readPath(path: string, kind: StoreAddress['kind']): Pick<StoreAddress, 'name' | 'database'> {
  const parts = path.split('/').filter((part) => part !== '');
  const name = kind === 'sentinel' ? parts.shift() : undefined;
  if (kind === 'sentinel' && (name === undefined || !NAME_FORM.test(name))) {
    throw fault(
      'does not say which primary the sentinels are asked for',
      'write redis+sentinel://HOST:26379/mymaster',
    );
  }
  const [text = '0', ...more] = parts;
  const database = Number(text);
  if (more.length > 0 || !/^\d{1,5}$/.test(text) || (kind === 'cluster' && database !== 0)) {
    throw fault('ends in what is no number of a database', 'leave it out, or write /0');
  }
  return { name, database };
}

function readQuery(query: string): string {
  if (query === '') return DEFAULT_PREFIX;
  const [key, value = '', ...more] = query.split('=');
  if (key !== 'prefix' || more.length > 0 || !PREFIX_FORM.test(value)) {
    throw fault('asks for something unknown after "?"', 'only ?prefix=NAME may stand there');
  }
  return value;
}

function readUser(userinfo: string | undefined): Pick<StoreAddress, 'username' | 'password'> {
  if (userinfo === undefined) return { username: undefined, password: undefined };
  const colon = userinfo.indexOf(':');
  const name = decoded(colon === -1 ? userinfo : userinfo.slice(0, colon));
  const password = colon === -1 ? undefined : decoded(userinfo.slice(colon + 1));
  return { username: name === '' ? undefined : name, password: password === '' ? undefined : password };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw fault('has a user or password that is not percent-encoded', 'write %25 for a percent sign');
  }
}

const fault = (message: string, suggestion: string): ConfigError =>
  ConfigError.at('--state', message, suggestion);
