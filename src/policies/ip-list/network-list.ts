import type { ConfigIssue } from '../../errors.ts';
import { type Cidr, parseCidr } from '../../lib/cidr.ts';
import type { CidrEntry } from '../../lib/cidr-set.ts';

/** Faulty lines of one file that are told one by one; the rest is told as a number. */
const MAX_FAULTS = 100;
/** How much of a faulty entry is repeated. */
const MAX_QUOTED = 64;

/** A path where a network should be: as other policies name files, or without `file:`. */
const FILE = /^(?:file:|\.{0,2}\/)/;

/** A network written in the document; when it is faulty, undefined and an issue. */
export function readNetwork(
  text: string,
  path: string,
  key: string,
  issues: ConfigIssue[],
): Cidr | undefined {
  if (!FILE.test(text)) return parseNetwork(text, path, '', issues);
  const suggestion = `write ${key}File: ${text}`;
  issues.push({ path, message: `${quote(text)} is a file; networks stand here`, suggestion });
  return undefined;
}

/** Networks of a list file. The value of an entry is `base` and its line, counted from 1. */
export function* fileNetworks(
  key: string,
  content: string,
  base: number,
  issues: ConfigIssue[],
): Generator<CidrEntry> {
  const faults: ConfigIssue[] = [];
  let faulty = 0;
  for (const [line, text] of entryLines(content)) {
    const network = parseNetwork(text, key, `line ${line}: `, faults);
    if (network !== undefined) yield { network, value: base + line };
    else if (++faulty > MAX_FAULTS) faults.pop();
  }
  issues.push(...faults);
  if (faulty > MAX_FAULTS)
    issues.push({ path: key, message: `${faulty - MAX_FAULTS} more lines are faulty` });
}

/** The lines that say something, without comments and white space around, each with its number. */
function* entryLines(content: string): Generator<[number, string]> {
  let line = 0;
  for (let start = 0; start <= content.length; ) {
    const feed = content.indexOf('\n', start);
    const end = feed === -1 ? content.length : feed;
    const text = withoutComment(content.slice(start, end)).trim();
    line++;
    if (text !== '') yield [line, text];
    start = end + 1;
  }
}

function withoutComment(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x23 || code === 0x3b) return text.slice(0, i);
  }
  return text;
}

/** One entry; when it is faulty, undefined and an issue: a skipped entry would be a rule that is silently off. */
function parseNetwork(text: string, path: string, prefix: string, issues: ConfigIssue[]): Cidr | undefined {
  const parsed = parseCidr(text);
  if (!('fault' in parsed)) return parsed;
  const suggestion = parsed.suggestion ?? FORM;
  issues.push({ path, message: `${prefix}${quote(text)} ${parsed.fault}`, suggestion });
  return undefined;
}

const quote = (text: string): string =>
  JSON.stringify(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text);

const FORM = 'write an address or a network, like 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32';
