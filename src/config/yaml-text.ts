import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import { InternalError } from '../errors.ts';
import type { DocumentPath } from './document-path.ts';
import { MAX_DEPTH } from './inspect-value.ts';
import type { IssueList } from './issues.ts';

/** Each use of an anchor counts, times the aliases inside it: stops exponential growth while it is small. */
const MAX_ALIAS_COUNT = 10_000;

const require = createRequire(import.meta.url);

/**
 * The library, loaded when a text is first YAML: it takes some 50 ms, which every thread that serves would pay
 * and none of them needs.
 */
const yaml = (): typeof Yaml => require('yaml');

/** A YAML text with the places of its nodes. */
export interface YamlSource {
  readonly document: Yaml.Document;
  readonly lines: Yaml.LineCounter;
}

/** A fault of the text itself, with its place. */
export interface TextFault {
  readonly message: string;
  readonly suggestion?: string;
  readonly line: number;
  readonly column: number;
}

/** Composes YAML 1.2 (core schema, no merge keys, no tags, no directives), or says every fault of the text. */
export function composeYaml(text: string): YamlSource | readonly TextFault[] {
  const { Composer, Lexer, LineCounter, Parser } = yaml();
  const lines = new LineCounter();
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  const tokens = [];
  const depth = new DepthGauge();
  for (const lexeme of new Lexer().lex(text)) {
    if (depth.isExceededBy(lexeme)) {
      return [{ message: `is nested deeper than ${MAX_DEPTH} levels`, ...placeOf(parser.offset, lines) }];
    }
    for (const token of parser.next(lexeme)) tokens.push(token);
  }
  for (const token of parser.end()) tokens.push(token);
  const composer = new Composer({ uniqueKeys: true, merge: false, version: '1.2', stringKeys: true });
  const documents = [...composer.compose(tokens, true, text.length)];
  const [document] = documents;
  if (document === undefined) throw new InternalError('the composer was asked for a document and gave none');
  const faults = rootCauses([...document.errors, ...document.warnings]).map((e) => faultOf(e, lines));
  if (documents.length > 1) faults.push({ message: 'holds more than one document', line: 1, column: 1 });
  const { explicit, version } = document.directives?.yaml ?? {};
  if (explicit && version !== '1.2') faults.push({ message: 'must be YAML 1.2', line: 1, column: 1 });
  return faults.length > 0 ? faults : { document, lines };
}

/** The plain value; an issue when its aliases grow too much. */
export function yamlValue({ document }: YamlSource, issues: IssueList): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIAS_COUNT });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    // The library's own words name the alias, which is source text.
    if (error.message.startsWith('Unresolved alias')) issues.add([], 'has an alias without its anchor');
    else issues.add([], 'expands aliases without bound', 'write the values out');
    return undefined;
  }
}

/** Nesting as the lexer sees it, so that neither the composer's stack nor its time is the attacker's to choose. */
class DepthGauge {
  #flow = 0;
  #indicators = 0;

  isExceededBy(lexeme: string): boolean {
    if (lexeme === '[' || lexeme === '{') this.#flow++;
    else if (lexeme === ']' || lexeme === '}') this.#flow--;
    else if (lexeme === '-' || lexeme === '?') this.#indicators++;
    else if (lexeme.endsWith('\n')) this.#indicators = 0;
    return this.#flow > MAX_DEPTH || this.#indicators > MAX_DEPTH;
  }
}

/** Once the parser has lost its place, every token after it is "unexpected": only the first is told. */
function rootCauses(errors: readonly Yaml.YAMLError[]): readonly Yaml.YAMLError[] {
  const first = errors.findIndex((e) => e.code === 'UNEXPECTED_TOKEN');
  return errors.filter((e, i) => e.code !== 'UNEXPECTED_TOKEN' || i === first);
}

function faultOf(error: Yaml.YAMLError, lines: Yaml.LineCounter): TextFault {
  // What follows is source text (a token, a tag, a directive, an escape, an excerpt), which might be a secret.
  const message = error.message.split(/ at line \d+|:|%|\\/)[0].trim();
  const isBrace = /flow-(?:map|seq)-start at node end/.test(message);
  return {
    message: `is not valid YAML: ${message}`,
    ...placeOf(error.pos[0], lines),
    ...(isBrace ? { suggestion: 'put the text in quotes, e.g. "/orders/{id}"' } : {}),
  };
}

function placeOf(offset: number, lines: Yaml.LineCounter): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** The key of an object's member, the item of a list: where an eye would look for the fault. */
export function placeIn(
  { document, lines }: YamlSource,
  path: DocumentPath,
): { line: number; column: number } {
  let node: unknown = document.contents;
  let offset = offsetOf(node) ?? 0;
  for (const step of path) {
    const next = childOf(node, step);
    if (next === undefined) break;
    offset = offsetOf(next.shown) ?? offset;
    node = next.value;
  }
  return placeOf(offset, lines);
}

function childOf(node: unknown, step: string | number): { shown: unknown; value: unknown } | undefined {
  const { isMap, isPair, isScalar, isSeq } = yaml();
  if (isSeq(node) && typeof step === 'number' && step < node.items.length) {
    return { shown: node.items[step], value: node.items[step] };
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.find((p) => isPair(p) && isScalar(p.key) && String(p.key.value) === String(step));
  return pair === undefined ? undefined : { shown: pair.key, value: pair.value };
}

function offsetOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node)) return undefined;
  return Array.isArray(node.range) && typeof node.range[0] === 'number' ? node.range[0] : undefined;
}
