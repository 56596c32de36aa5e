import { type Peer, type PeerOptions, startPeer } from './peer.ts';

/** HAProxy with one thread, connections to the upstream shared (`http-reuse always`), no log. */
export function startHaproxy(options: PeerOptions): Promise<Peer> {
  return startPeer({
    name: 'haproxy',
    port: options.port,
    core: options.core,
    command: ['haproxy', '-db', '-f', 'FILE'],
    config: () => `global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  timeout http-request 10s
  option forwardfor
  http-reuse always
frontend public
  bind 127.0.0.1:${options.port} backlog 4096
  default_backend origin
backend origin
  server one 127.0.0.1:${options.upstreamPort} pool-max-conn 128
`,
  });
}
