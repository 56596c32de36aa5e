/** Who plays beside the gateway: certificates, an authorisation service, a feed of addresses, a browser without a screen. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import path from 'node:path';
import { request } from 'undici';

/** Makes an authority and what it signs, with OpenSSL, in `folder`: server, partner, and a partner that was revoked. */
export function makeCertificates(folder: string): void {
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const newKey = (name: string, subject: string) => [
    'req',
    '-new',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    subject,
    '-keyout',
    `${name}.key`,
  ];
  writeFileSync(path.join(folder, 'ca.cnf'), AUTHORITY_CONFIG);
  writeFileSync(path.join(folder, 'index.txt'), '');
  openssl(...newKey('authority', '/CN=Example authority'), '-x509', '-days', '30', '-out', 'authority.crt');
  const sign = (name: string, alternativeName: string) => {
    openssl(
      ...newKey(name, `/CN=${name}`),
      '-addext',
      `subjectAltName=${alternativeName}`,
      '-out',
      `${name}.csr`,
    );
    openssl('ca', '-batch', '-config', 'ca.cnf', '-in', `${name}.csr`, '-out', `${name}.crt`, '-notext');
  };
  sign('server', 'IP:127.0.0.1');
  sign('north', 'DNS:north.partner.test');
  sign('former', 'DNS:former.partner.test');
  openssl('ca', '-batch', '-config', 'ca.cnf', '-revoke', 'former.crt');
  openssl('ca', '-config', 'ca.cnf', '-gencrl', '-out', 'revoked.crl');
}

const AUTHORITY_CONFIG = `[ca]
default_ca = example
[example]
dir = .
database = index.txt
new_certs_dir = .
rand_serial = yes
certificate = authority.crt
private_key = authority.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
`;

/** Something that listens on loopback. */
export interface Player {
  stop(): void;
}

export async function listen(port: number, answer: RequestListener): Promise<Player> {
  const server = createServer(answer);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Decides by a cookie of its own, as a service behind nginx's auth_request would. */
export const authorisationService: RequestListener = (request, response) => {
  const user = /(?:^|; )desk=([a-z]+)/.exec(request.headers.cookie ?? '')?.[1];
  if (user === undefined) response.writeHead(401, { 'www-authenticate': 'Cookie realm="desk"' });
  else response.writeHead(200, { 'x-auth-user': user });
  response.end();
};

/** A page as a visitor sees it. */
export interface Page {
  readonly url: string;
  readonly status: number;
  readonly text: string;
}

interface Sending {
  readonly method: 'GET' | 'POST';
  readonly body?: string;
}

/** A browser without a screen: opens pages, keeps cookies by host, and follows redirects one by one. */
export class Visitor {
  readonly #jar = new Map<string, Map<string, string>>();

  async open(url: string, { method, body }: Sending = { method: 'GET' }): Promise<Page> {
    const { host, origin } = new URL(url);
    const cookies = [...(this.#jar.get(host) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await request(url, {
      method,
      headers: {
        accept: 'text/html,application/xhtml+xml',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
        'sec-fetch-site': 'same-origin',
        ...(cookies === '' ? {} : { cookie: cookies }),
        ...(body === undefined ? {} : { origin, 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.body.text();
    this.#keep(host, [response.headers['set-cookie'] ?? []].flat());
    const { location } = response.headers;
    if (typeof location === 'string') return await this.open(new URL(location, url).href);
    return { url, status: response.statusCode, text };
  }

  /** Fills in the one form of a page and sends it. */
  async submit({ url, text }: Page, fields: Readonly<Record<string, string>>): Promise<Page> {
    const action = /<form[^>]*action="([^"]+)"/.exec(text)?.[1];
    if (action === undefined) throw new Error(`there is no form at ${url}:\n${text}`);
    const hidden = [...text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const form = new URLSearchParams({
      ...Object.fromEntries(hidden.map(([, name, value]) => [name, value])),
      ...fields,
    });
    return await this.open(new URL(action, url).href, { method: 'POST', body: form.toString() });
  }

  #keep(host: string, cookies: readonly string[]): void {
    const jar = this.#jar.get(host) ?? new Map<string, string>();
    this.#jar.set(host, jar);
    for (const cookie of cookies) {
      const [pair] = cookie.split(';');
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      if (value === '' || /max-age=0/i.test(cookie)) jar.delete(name);
      else jar.set(name, value);
    }
  }
}
