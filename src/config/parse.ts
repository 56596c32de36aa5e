import { ConfigError, type ConfigIssue } from '../errors.ts';
import { parseStrictJson } from '../lib/strict-json.ts';
import { type DocumentPath, parsePath } from './document-path.ts';
import { inspectValue, MAX_DEPTH } from './inspect-value.ts';
import { IssueList } from './issues.ts';
import { isObject } from './json-shape.ts';
import { composeYaml, placeIn, type YamlSource, yamlValue } from './yaml-text.ts';

/** Larger documents are refused unread: parsing is the one work whose size a stranger chooses. */
export const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;
/** YAML takes about a second per megabyte, in which the control side answers nobody; JSON a hundredth of that. */
export const MAX_YAML_BYTES = 2 * 1024 * 1024;

/** 1-based place in a source text. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A document as it was written: plain JSON values, and where each of them stands. */
export interface ParsedDocument {
  /** Shown in messages: the file's path, or what the caller calls it. */
  readonly name: string;
  /** Not validated yet. */
  readonly document: Readonly<Record<string, unknown>>;
  /** Where the value at a path (or the nearest one above it) is written. */
  locate(path: DocumentPath): SourcePlace | undefined;
}

/** Parses YAML 1.2 or JSON. Throws ConfigError with places; nothing of the schema is checked here. */
export function parseDocument(text: string, name: string): ParsedDocument {
  if (Buffer.byteLength(text) > MAX_DOCUMENT_BYTES) {
    throw ConfigError.at('', `is larger than ${MAX_DOCUMENT_BYTES} bytes`, 'split it into several files');
  }
  const json = jsonValue(text);
  const source = new LazySource(text, name);
  const issues = new IssueList();
  const value = json === undefined ? yamlValue(source.yaml(), issues) : json.value;
  if (issues.isEmpty) inspectValue(value, issues);
  if (issues.isEmpty && value === null) issues.add([], 'is empty', 'start with "sallyport: 1"');
  else if (issues.isEmpty && !isObject(value)) issues.add([], 'must be an object with keys like "listeners"');
  const parsed = { name, document: isObject(value) ? value : {}, locate: source.locate };
  throwLocated(issues, parsed);
  return parsed;
}

/**
 * The value of a sound JSON text: documents that programs publish are read a hundred times faster so. Whatever
 * is faulty, or no JSON, is undefined here and left to the YAML parser, which knows the places.
 */
function jsonValue(text: string): { readonly value: unknown } | undefined {
  if (!/^[ \t\r\n]*\{/.test(text)) return undefined;
  const parsed = parseStrictJson(text, MAX_DEPTH);
  return 'fault' in parsed ? undefined : parsed;
}

/** The issues of a ConfigError with file, line and column by their paths, in the order of the text. */
export function locateIssues(
  error: ConfigError,
  parsed: Pick<ParsedDocument, 'locate'>,
): readonly ConfigIssue[] {
  const located = error.issues.map((issue) => {
    if (issue.line !== undefined) return issue;
    const place = parsed.locate(parsePath(issue.path));
    return place === undefined ? issue : { ...issue, ...place };
  });
  return located.sort(byPlace);
}

function byPlace(one: ConfigIssue, other: ConfigIssue): number {
  const byFile = (one.file ?? '').localeCompare(other.file ?? '');
  if (byFile !== 0) return byFile;
  return (one.line ?? 0) - (other.line ?? 0) || (one.column ?? 0) - (other.column ?? 0);
}

function throwLocated(issues: IssueList, parsed: ParsedDocument): void {
  try {
    issues.throwIfAny();
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(locateIssues(error, parsed)) : error;
  }
}

/** The text with its places, composed when first asked: a sound JSON document never needs them. */
class LazySource {
  readonly #text: string;
  readonly #name: string;
  #yaml: YamlSource | undefined = undefined;

  constructor(text: string, name: string) {
    this.#text = text;
    this.#name = name;
  }

  yaml(): YamlSource {
    this.#yaml ??= this.#compose();
    return this.#yaml;
  }

  readonly locate = (path: DocumentPath): SourcePlace | undefined => {
    try {
      const source = this.yaml();
      return { file: this.#name, ...placeIn(source, path) };
    } catch {
      return undefined;
    }
  };

  #compose(): YamlSource {
    if (Buffer.byteLength(this.#text) > MAX_YAML_BYTES) {
      const message = `is larger than ${MAX_YAML_BYTES} bytes and is not sound JSON`;
      throw ConfigError.at('', message, 'write it as JSON, or split it into several files');
    }
    const composed = composeYaml(this.#text);
    if ('document' in composed) return composed;
    throw new ConfigError(composed.map((fault) => ({ path: '', file: this.#name, ...fault })));
  }
}
