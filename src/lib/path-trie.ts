/**
 * Path patterns to values. A pattern is `/`-separated: a literal segment, `{name}` or `*` for one non-empty
 * segment, and at the end `**` for the rest, including none. Cost of a look-up grows with the depth of the
 * path, not with the number of patterns. Literals win over `{name}`, which wins over `**`.
 */
export class PathTrie<T> {
  readonly #root = new TrieNode<T>();

  /** Replaces the value at a parsed pattern, undefined when there is none. Patterns that differ only in names share it. */
  update(pattern: PathPattern, change: (before: T | undefined) => T): void {
    let node = this.#root;
    for (const segment of pattern.segments) node = node.childFor(segment);
    if (pattern.rest) node.rest = change(node.rest);
    else node.value = change(node.value);
  }

  /**
   * Offers values from the most to the least specific match of `path` (which starts with `/`) until
   * `accept` takes one. Returns the text of the pattern's single segments, or undefined when none was taken.
   */
  find(path: string, accept: (value: T) => boolean): readonly string[] | undefined {
    const singles: string[] = [];
    return search(this.#root, path, 1, accept, singles) ? singles : undefined;
  }
}

/** Kept small: a look-up among thousands of patterns waits for the memory of each node it visits. */
class TrieNode<T> {
  literals: Map<string, TrieNode<T>> | undefined = undefined;
  single: TrieNode<T> | undefined = undefined;
  value: T | undefined = undefined;
  rest: T | undefined = undefined;

  childFor(segment: string | undefined): TrieNode<T> {
    if (segment === undefined) {
      this.single ??= new TrieNode<T>();
      return this.single;
    }
    this.literals ??= new Map();
    let child = this.literals.get(segment);
    if (child === undefined) {
      child = new TrieNode<T>();
      this.literals.set(segment, child);
    }
    return child;
  }
}

/** Visits each trie node at most once per look-up, so a hostile path costs no more than the patterns allow. */
function search<T>(
  node: TrieNode<T>,
  path: string,
  start: number,
  accept: (value: T) => boolean,
  singles: string[],
): boolean {
  if (start > path.length) {
    if (node.value !== undefined && accept(node.value)) return true;
    return node.rest !== undefined && accept(node.rest);
  }
  const slash = path.indexOf('/', start);
  const end = slash === -1 ? path.length : slash;
  if (node.literals !== undefined) {
    const child = node.literals.get(path.slice(start, end));
    if (child !== undefined && search(child, path, end + 1, accept, singles)) return true;
  }
  if (node.single !== undefined && end > start) {
    singles.push(path.slice(start, end));
    if (search(node.single, path, end + 1, accept, singles)) return true;
    singles.pop();
  }
  return node.rest !== undefined && accept(node.rest);
}

export interface PathPattern {
  /** A literal, or undefined for one segment of any text. */
  readonly segments: readonly (string | undefined)[];
  /** Names of the single segments in order; '' for `*`. */
  readonly names: readonly string[];
  readonly rest: boolean;
}

const PARAMETER = /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/;

/** Parses a pattern; a string says what is wrong with it. */
export function parsePathPattern(pattern: string): PathPattern | string {
  if (!pattern.startsWith('/')) return 'must start with "/"';
  const parts = pattern.slice(1).split('/');
  const rest = parts.at(-1) === '**';
  if (rest) parts.pop();
  const segments: (string | undefined)[] = [];
  const names: string[] = [];
  for (const part of parts) {
    if (part === '**') return '"**" is only allowed at the end';
    const name = part === '*' ? '' : PARAMETER.exec(part)?.[1];
    if (name === undefined && /[{}*]/.test(part))
      return `"${part}" is neither a literal, "{name}", "*" nor "**"`;
    if (name !== undefined && name !== '' && names.includes(name)) return `"{${name}}" occurs twice`;
    if (name !== undefined) names.push(name);
    segments.push(name === undefined ? part : undefined);
  }
  return { segments, names, rest };
}
