import { type DocumentAttachment, listOf, textOf } from '../../config/index.ts';
import { type AclBlock, coversBlock, pathsMeet } from './acl-blocks.ts';
import { type AddressEntry, type AddressSide, isNetwork } from './address-entries.ts';
import { alwaysBefore, type LintContext, type LintPlace, type LintRoute } from './context.ts';
import { ofEachAttachment } from './each-attachment.ts';
import type { Found, LintRule } from './finding.ts';

/** A rule that changes nothing: whatever it would decide, another decides already. */
export const shadowedRule: LintRule = {
  id: 'shadowed-rule',
  severity: 'warning',
  summary: 'A rule of an acl or ip-list that never decides anything, since another always wins',
  check: ofEachAttachment(function* (c, place, attachment) {
    yield* ofAddresses(c, place, attachment);
    yield* ofBlocks(c, place, attachment);
  }),
};

const FIX = 'take it out, or make the other narrower';

function* ofAddresses(c: LintContext, place: LintPlace, attachment: DocumentAttachment): Generator<Found> {
  const rules = c.addressRules(attachment);
  if (rules === undefined) return;
  const { deny, allow } = rules;
  const before = alwaysBefore(place, attachment);
  for (const entry of written(deny)) {
    const twin = deny?.holderOf(entry);
    if (twin !== undefined) yield within(entry, twin, 'deny');
    else if (allow !== undefined && isNetwork(entry) && !allow.mayMeet(entry)) yield outside(entry);
    else {
      const earlier = before.map((list) => list.find((a) => c.addressRules(a)?.deny?.holderOf(entry)));
      if (earlier.length === 0 || earlier.includes(undefined)) continue;
      yield { path: entry.path, message: `${entry.text} is denied before by ${earlier[0]?.id}`, fix: FIX };
    }
  }
  for (const entry of written(allow)) {
    const twin = allow?.holderOf(entry);
    if (twin !== undefined) yield within(entry, twin, 'allow');
  }
}

/** Without what lists hold: that is said at another place, for others too. */
const written = (side: AddressSide | undefined): readonly AddressEntry[] =>
  side?.entries.filter(({ list }) => list === undefined) ?? [];

const within = (entry: AddressEntry, twin: AddressEntry, side: string): Found => ({
  path: entry.path,
  severity: 'note',
  message:
    entry.text === twin.text
      ? `${entry.text} stands in ${side} twice`
      : `${entry.text} is in ${twin.text}, which ${side} has as well`,
  fix: FIX,
});

const outside = (entry: AddressEntry): Found => ({
  path: entry.path,
  severity: 'note',
  message: `${entry.text} is denied, and in nothing that allow lets on`,
  fix: 'take it out, or leave allow out',
});

/** So many blocks are compared each with each. */
const MAX_BLOCKS = 200;

function* ofBlocks(c: LintContext, place: LintPlace, attachment: DocumentAttachment): Generator<Found> {
  const rules = c.aclRules(attachment);
  if (rules === undefined) return;
  const before = alwaysBefore(place, attachment);
  for (const blocks of [rules.deny, rules.allow]) {
    for (const [i, block] of blocks.slice(0, MAX_BLOCKS).entries()) {
      const never = 'listeners' in place ? neverOf(block, place) : undefined;
      if (never !== undefined) yield never;
      else yield* covered(block, blocks.slice(0, MAX_BLOCKS), i);
    }
  }
  for (const block of rules.deny) {
    const earlier = before.map((list) =>
      list.find((a) =>
        c
          .aclRules(a)
          ?.deny.slice(0, MAX_BLOCKS)
          .some((one) => coversBlock(one, block)),
      ),
    );
    if (earlier.length === 0 || earlier.includes(undefined)) continue;
    yield {
      path: block.path,
      message: `what ${block.rule} refuses is refused before by ${earlier[0]?.id}`,
      fix: FIX,
    };
  }
}

/** By a wider one, or, of two that say the same, by the first. */
function* covered(block: AclBlock, blocks: readonly AclBlock[], at: number): Generator<Found> {
  const winner = blocks.find(
    (other, i) => i !== at && coversBlock(other, block) && (i < at || !coversBlock(block, other)),
  );
  if (winner === undefined) return;
  yield {
    path: block.path,
    message: `${block.rule} decides nothing: ${winner.rule} holds whenever it does`,
    fix: FIX,
  };
}

/** What can never be asked of a route: another method, or another path, than it takes. */
function neverOf({ keys, path, rule }: AclBlock, { name, config: { match } }: LintRoute): Found | undefined {
  const methods = textsOf(keys.methods);
  if (methods.length > 0 && match.methods !== undefined) {
    const taken = new Set(match.methods.includes('GET') ? [...match.methods, 'HEAD'] : match.methods);
    if (!methods.some((method) => taken.has(method))) {
      const message = `${rule} never holds: route "${name}" takes ${match.methods.join(', ')} only`;
      return { path: [...path, 'methods'], message, fix: 'take it out, or let the route take the method' };
    }
  }
  const paths = textsOf(keys.paths);
  const own = match.paths ?? [match.path ?? '/**'];
  if (paths.length === 0 || paths.some((one) => own.some((other) => pathsMeet(one, other)))) return undefined;
  const message = `${rule} never holds: route "${name}" takes no such path`;
  return { path: [...path, 'paths'], message, fix: 'take it out, or write a path below that of the route' };
}

const textsOf = (value: unknown): readonly string[] => listOf(value).flatMap((item) => textOf(item) ?? []);
