import type { Document } from '../../test/fixtures/gateway.ts';

/** So high that no load of the bench meets it, and low enough to be counted exactly over a day. */
const NEVER_MET = 20_000_000;
const WINDOWS = ['1s', '10s', '1m', '10m', '1h', '6h', '12h', '1d'];

const limit = (config: object) => ({ 'rate-limit': { by: 'address', ...config } });
const one = { limit: NEVER_MET, window: '1m' };

/** A route at `/NAME` for each: what it is limited by. */
export const LIMITED: Readonly<Record<string, readonly unknown[]>> = {
  unlimited: [],
  gcra: [limit(one)],
  'gcra-quiet': [limit({ ...one, headers: 'none' })],
  'fixed-window': [limit({ ...one, algorithm: 'fixed-window' })],
  'sliding-window': [limit({ ...one, algorithm: 'sliding-window' })],
  eight: [limit({ limits: WINDOWS.map((window) => ({ limit: NEVER_MET, window })) })],
  'eight-quiet': [
    limit({ limits: WINDOWS.map((window) => ({ limit: NEVER_MET, window })), headers: 'none' }),
  ],
};

/** The same where counters are shared with other nodes. */
export const SHARED: Readonly<Record<string, readonly unknown[]>> = {
  unlimited: [],
  leased: [limit({ ...one, counting: 'leased' })],
  exact: [limit(one)],
};

export function limitedDocument(
  port: number,
  upstream: string,
  routes: Readonly<Record<string, readonly unknown[]>>,
): Document {
  return {
    sallyport: 1,
    // A worker that is loaded to the full is what is measured.
    overload: 'off',
    listeners: [{ name: 'public', address: `127.0.0.1:${port}` }],
    upstreams: { origin: { targets: [{ url: upstream }] } },
    routes: Object.entries(routes).map(([name, policies]) => ({
      name,
      match: { path: `/${name}` },
      upstream: 'origin',
      policies,
    })),
  };
}
