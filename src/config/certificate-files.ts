import { fileKey } from './document-files.ts';
import { listOf, memberOf, textOf } from './json-shape.ts';

/**
 * Files of the certificates that listeners prove themselves with, by the names under which a bundle holds them. They are
 * renewed by a clock of their own: no rule changes with them, and a revision that is gone back to needs today's.
 */
export function certificateFiles(document: unknown): ReadonlySet<string> {
  const names = listOf(memberOf(document, 'listeners')).flatMap((listener) =>
    listOf(memberOf(memberOf(listener, 'tls'), 'certificates')).flatMap((pair) => {
      const name = textOf(memberOf(pair, 'cert'));
      return name === undefined ? [] : [fileKey(name)];
    }),
  );
  return new Set(names);
}
