import { Dice, mutated, requests, response } from './generate.ts';
import { readResponseWithNode, ServerOracle } from './oracle.ts';
import { type Message, type Reading, readRequests, readResponse } from './ours.ts';

/** Two readers of the same bytes disagree. */
export interface Disagreement {
  readonly kind: 'request' | 'response';
  readonly seed: number;
  readonly input: string;
  readonly reason: string;
}

export interface FuzzReport {
  readonly cases: number;
  /** Messages accepted whole by this project's codec: a run in which it accepts nothing proves nothing. */
  readonly accepted: number;
  readonly disagreements: readonly Disagreement[];
}

/** Absolute-form is folded to origin-form by our codec; the oracle keeps it. */
function originForm(start: string): string {
  const match = /^(\S+) https?:\/\/[^/?]*(.*)$/i.exec(start);
  if (match === null) return start;
  const rest = match[2] === '' ? '/' : match[2];
  return `${match[1]} ${rest.startsWith('?') ? `/${rest}` : rest}`;
}

/** Why the oracle's message is not ours; undefined when they mean the same. */
function difference(ours: Message, theirs: Message): string | undefined {
  if (ours.start !== originForm(theirs.start)) return `start ${ours.start} against ${theirs.start}`;
  if (ours.fields.join('\n') !== theirs.fields.join('\n')) {
    return `fields ${JSON.stringify(ours.fields)} against ${JSON.stringify(theirs.fields)}`;
  }
  if (ours.upgrade !== theirs.upgrade) return `upgrade ${ours.upgrade} against ${theirs.upgrade}`;
  if (!ours.complete || ours.upgrade) return undefined;
  if (!theirs.complete) return 'complete against incomplete';
  if (ours.body !== theirs.body)
    return `body ${JSON.stringify(ours.body)} against ${JSON.stringify(theirs.body)}`;
  return undefined;
}

/** llhttp obeys Proxy-Connection, which no specification knows, as if it were Connection; we drop it unread. */
function readsProxyConnection(message: Message): boolean {
  return message.fields.some(
    (name, i) => i % 2 === 0 && /^proxy-connection$/i.test(name) && message.fields[i + 1] !== 'keep-alive',
  );
}

/** Whatever we accepted whole, the oracle accepted with the same meaning; it may accept more than we do. */
function disagreement(ours: Reading, theirs: Reading): string | undefined {
  for (const [index, message] of ours.messages.entries()) {
    if (!message.complete || readsProxyConnection(message)) return undefined;
    const other = theirs.messages[index];
    if (other === undefined) return `message ${index} refused by the oracle: ${message.start}`;
    const reason = difference(message, other);
    if (reason !== undefined) return `message ${index}: ${reason}`;
  }
  return undefined;
}

const accepted = (reading: Reading): number => reading.messages.filter((m) => m.complete).length;

/** Compares readers on generated streams from `seed` on, one seed each, while `more` says so. */
export async function fuzz(seed: number, more: (cases: number) => boolean): Promise<FuzzReport> {
  const oracle = new ServerOracle();
  const disagreements: Disagreement[] = [];
  let cases = 0;
  let whole = 0;
  while (more(cases) && disagreements.length < 20) {
    const current = seed + cases++;
    const dice = new Dice(current);
    const kind = dice.oneIn(3) ? 'response' : 'request';
    const result = kind === 'request' ? await compareRequests(dice, oracle) : await compareResponse(dice);
    whole += result.accepted;
    if (result.reason !== undefined) {
      disagreements.push({ kind, seed: current, input: result.input, reason: result.reason });
    }
  }
  oracle.close();
  return { cases, accepted: whole, disagreements };
}

interface Comparison {
  readonly input: string;
  readonly accepted: number;
  readonly reason: string | undefined;
}

async function compareRequests(dice: Dice, oracle: ServerOracle): Promise<Comparison> {
  const input = mutated(dice, requests(dice), dice.oneIn(3) ? 3 : 0);
  const bytes = Buffer.from(input, 'latin1');
  const ours = readRequests(bytes);
  const theirs = await oracle.read(bytes);
  return { input, accepted: accepted(ours), reason: disagreement(ours, theirs) };
}

async function compareResponse(dice: Dice): Promise<Comparison> {
  const method = dice.oneIn(8) ? 'HEAD' : 'GET';
  const input = mutated(dice, response(dice), dice.oneIn(3) ? 3 : 0);
  const bytes = Buffer.from(input, 'latin1');
  const ours = readResponse(bytes, method);
  const theirs = await readResponseWithNode(bytes, method);
  return { input, accepted: accepted(ours), reason: disagreement(ours, theirs) };
}
