import { type Peer, type PeerOptions, startPeer } from './peer.ts';

/** nginx with one worker, keep-alive on both sides, no access log: the baseline of every ratio. */
export function startNginx(options: PeerOptions): Promise<Peer> {
  return startPeer({
    name: 'nginx',
    port: options.port,
    core: options.core,
    command: ['nginx', '-e', 'stderr', '-c', 'FILE', '-g', 'daemon off;'],
    config: (folder) => `worker_processes 1;
pid ${folder}/pid;
error_log stderr crit;
events { worker_connections 16384; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  upstream origin {
    server 127.0.0.1:${options.upstreamPort};
    keepalive 128;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${options.port} backlog=4096;
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}
`,
  });
}
