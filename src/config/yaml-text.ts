import { Composer, type Document, Lexer, LineCounter, Parser, type YAMLError } from 'yaml';
import { InternalError } from '../errors.ts';
import { MAX_DEPTH } from './inspect-value.ts';
import type { IssueList } from './issues.ts';

/** Each use of an anchor counts, times the aliases inside it: stops exponential growth while it is small. */
const MAX_ALIAS_COUNT = 10_000;

/** A YAML text with the places of its nodes. */
export interface YamlSource {
  readonly document: Document;
  readonly lines: LineCounter;
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
function rootCauses(errors: readonly YAMLError[]): readonly YAMLError[] {
  const first = errors.findIndex((e) => e.code === 'UNEXPECTED_TOKEN');
  return errors.filter((e, i) => e.code !== 'UNEXPECTED_TOKEN' || i === first);
}

function faultOf(error: YAMLError, lines: LineCounter): TextFault {
  // What follows is source text (an excerpt, a token), which might be a secret.
  const message = error.message.split(/ at line \d+|: "/)[0].trim();
  const isBrace = /flow-(?:map|seq)-start at node end/.test(message);
  return {
    message: `is not valid YAML: ${message}`,
    ...placeOf(error.pos[0], lines),
    ...(isBrace ? { suggestion: 'put the text in quotes, e.g. "/orders/{id}"' } : {}),
  };
}

export function placeOf(offset: number, lines: LineCounter): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}
