import { ConfigError } from '../../errors.ts';

/** Reads PEM or says that `key` holds none. The causes may hold key material: not told. */
export function readPem<T>(key: string, read: () => T): T {
  try {
    return read();
  } catch {
    throw ConfigError.at(key, 'does not hold a readable PEM');
  }
}

/** The blocks of that label in a PEM file, each with its fences; what stands between them is let by (RFC 7468 §2). */
export function pemBlocks(text: string, label: 'CERTIFICATE' | 'X509 CRL'): readonly string[] {
  const [begin, end] = [`-----BEGIN ${label}-----`, `-----END ${label}-----`];
  return text
    .split(begin)
    .slice(1)
    .map((block) => {
      const length = block.indexOf(end);
      if (length === -1) throw ConfigError.at('', 'does not hold a readable PEM');
      return `${begin}${block.slice(0, length)}${end}\n`;
    });
}
