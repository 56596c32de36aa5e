import { type Peer, startPeer } from './peer.ts';

/** About one kilobyte, as a JSON API answers. */
export const ANSWER = JSON.stringify({
  items: Array.from({ length: 20 }, (_, id) => ({ id, name: `item ${id}`, price: 12.5 + id })),
});

/** The upstream of every lane: nginx answering from memory, so that it never is the bottleneck. */
export function startOrigin(options: { readonly port: number; readonly core: number }): Promise<Peer> {
  return startPeer({
    name: 'origin',
    port: options.port,
    core: options.core,
    command: ['nginx', '-e', 'stderr', '-c', 'FILE', '-g', 'daemon off;'],
    config: (folder) => `worker_processes 1;
pid ${folder}/pid;
error_log stderr crit;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${options.port} backlog=4096;
    location / {
      default_type application/json;
      return 200 '${ANSWER}';
    }
  }
}
`,
  });
}
