/** How a path can be written, and how servers are known to read one. */

/**
 * How servers commonly read a path: decoded once or twice, backslashes as slashes, path parameters cut away, slashes
 * merged, dots resolved. A forwarded path none of these readings takes to /admin is harmless.
 */
export function readings(path: string): string[] {
  const decoded = [path, decode(path), decode(decode(path))];
  return decoded
    .flatMap((p) => [p, p.replaceAll('\\', '/')])
    .flatMap((p) => [resolve(p), resolve(p.replace(/;[^/]*/g, ''))]);
}

/** The same by servers that fold case as well, and cut away dots and spaces at the end of a name. */
export function looseReadings(path: string): string[] {
  const folded = path.toLowerCase();
  return [...readings(path), ...readings(folded)].flatMap((p) => [
    p,
    p.toLowerCase().replace(/[. ]+(?=\/|$)/g, ''),
  ]);
}

function decode(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function resolve(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  return `/${kept.join('/')}`;
}

/** Of `/admin` and what is below it, most of them for one kind of server only. */
export const SPELLINGS: readonly string[] = [
  '/admin',
  '/admin/',
  '/admin/users',
  '//admin/users',
  '///admin///users',
  '/./admin/users',
  '/.//admin/users',
  '/x/../admin/users',
  '/x/y/../../admin/users',
  '/x/..//admin/users',
  '/admin/./users',
  '/admin/../admin/users',
  '/%61dmin/users',
  '/%61%64%6d%69%6e/users',
  '/%2561dmin/users',
  '/admin%2fusers',
  '/admin%2Fusers',
  '/%2fadmin/users',
  '/x%2f..%2fadmin/users',
  '/x/%2e%2e/admin/users',
  '/x/%2E%2E/admin/users',
  '/x/.%2e/admin/users',
  '/x/%2e./admin/users',
  '/%2e/admin/users',
  '/x/%252e%252e/admin/users',
  '/x/..;/admin/users',
  '/x/..;a=b/admin/users',
  '/;/admin/users',
  '/;a=b/admin/users',
  '/admin;/users',
  '/admin;a=b/users',
  '/x/..%3b/admin/users',
  '/x/..%3B/admin/users',
  '\\admin\\users',
  '/\\admin/users',
  '/x\\..\\admin\\users',
  '/x/..\\admin/users',
  '/admin\\users',
  '/%5cadmin/users',
  '/x%5c..%5cadmin%5cusers',
  '/admin%5cusers',
  '/admin%00/users',
  '/admin%00.html',
  '/admin%20/users',
  '/admin%09',
  '/admin%0a',
  '/admin%0d%0a',
  '/admin%23',
  '/admin%3f',
  '/admin?x',
  '/admin/?x',
  '/admin#x',
  '/admin%c0%afusers',
  '/%c0%ae%c0%ae/admin/users',
  '/x/%e0%80%ae%e0%80%ae/admin/users',
  '/admin%ef%bc%8fusers',
  '/%u0061dmin/users',
  '/admin%',
  '/admin%2',
  '/admin%zz',
  '/admin.',
  '/admin/.',
  '/admin/..',
  '/..',
  '/../admin/users',
  '/../../../../admin/users',
  'http://a.test/admin/users',
  'http://a.test//admin/users',
  'http://a.test/x/../admin/users',
  'HTTP://A.TEST/admin/users',
];

/** Of the same, for servers that fold more. */
export const LOOSE_SPELLINGS: readonly string[] = [
  '/ADMIN',
  '/Admin/users',
  '/aDmIn/',
  '/%41dmin/users',
  '/admin./users',
  '/admin../users',
  '/admin%2e/users',
  '/admin%20',
  '/admin%20/users',
  '/admin.%20./users',
  '/ADMIN;a=b/users',
  '/ADMIN%3Ba/users',
  '/ADMIN%2fusers',
  '/x%2F..%2FADMIN',
  '/.../admin',
  '/admin/%20',
  '/ADMIN.;x/users',
];
