import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { AdminDeps } from './deps.ts';

const CONSOLE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};

const PLAIN_PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Sallyport</title></head>
<body>
<h1>Sallyport</h1>
<p>This is the admin side. Its API is described at <code>/api/openapi.json</code> and needs the admin token
as <code>Authorization: Bearer</code>; the file it lies in was printed at the start.</p>
<ul>
<li><a href="/healthz">/healthz</a>: the process is alive</li>
<li><a href="/readyz">/readyz</a>: a revision is served</li>
<li><a href="/metrics">/metrics</a>: Prometheus metrics</li>
</ul>
</body>
</html>
`;

/** Serves the built console, or a plain page where there is none. Public: it holds no data. */
export function addConsole(app: FastifyInstance, deps: AdminDeps): void {
  const files = deps.consoleDir === undefined ? new Map<string, string>() : listFiles(deps.consoleDir);
  const options = { config: { isPublic: true }, schema: { hide: true } };
  app.get('/', options, (_request, reply) => {
    const index = files.get('index.html');
    return index === undefined ? sendPage(reply, PLAIN_PAGE) : sendFile(reply, index);
  });
  app.get<{ Params: { '*': string } }>('/*', options, (request, reply) => {
    const file = files.get(request.params['*']);
    return file === undefined ? reply.callNotFound() : sendFile(reply, file);
  });
}

/**
 * Every file that may be asked for, by its path in the console. A request is looked up here and never made
 * into a path, so none can leave the folder; links and hidden files are left out.
 */
function listFiles(folder: string, prefix = ''): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readFolder(folder)) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    const name = `${prefix}${entry.name}`;
    if (entry.isDirectory()) for (const [inner, at] of listFiles(path, `${name}/`)) files.set(inner, at);
    else if (entry.isFile()) files.set(name, path);
  }
  return files;
}

function readFolder(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

const sendPage = (reply: FastifyReply, page: string): FastifyReply =>
  reply.header('content-security-policy', CONSOLE_POLICY).type('text/html; charset=utf-8').send(page);

async function sendFile(reply: FastifyReply, path: string): Promise<FastifyReply> {
  const bytes = await readFile(path);
  return reply
    .header('content-security-policy', CONSOLE_POLICY)
    .type(TYPES[extname(path)] ?? 'application/octet-stream')
    .send(bytes);
}
