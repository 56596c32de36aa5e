// The usual proxy in Node: node:http in, undici out, bodies piped. Arguments: PORT UPSTREAM_PORT.
import { createServer } from 'node:http';
import { Pool } from 'undici';

const [port, upstreamPort] = process.argv.slice(2).map(Number);
const pool = new Pool(`http://127.0.0.1:${upstreamPort}`, { connections: 128, pipelining: 1 });

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

function forwarded(rawHeaders) {
  const headers = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!HOP_BY_HOP.has(rawHeaders[i].toLowerCase())) headers.push(rawHeaders[i], rawHeaders[i + 1]);
  }
  return headers;
}

const server = createServer((request, response) => {
  const hasBody =
    request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
  pool.stream(
    {
      method: request.method,
      path: request.url,
      headers: forwarded(request.rawHeaders),
      body: hasBody ? request : null,
    },
    ({ statusCode, headers }) => {
      const kept = {};
      for (const name in headers) if (!HOP_BY_HOP.has(name)) kept[name] = headers[name];
      response.writeHead(statusCode, kept);
      return response;
    },
    (error) => {
      if (error === null) return;
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end();
    },
  );
});
server.keepAliveTimeout = 60_000;
server.listen(port, '127.0.0.1', 4096);
