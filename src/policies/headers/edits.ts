import type { ConfigIssue } from '../../errors.ts';
import { FieldKind, fieldKind, isFieldName } from '../../http1/index.ts';
import type { HeaderEdits } from './schema.ts';
import { compileTemplate, type Template } from './template.ts';

export interface CompiledEdits {
  readonly remove: readonly string[];
  readonly rename: readonly { readonly from: string; readonly to: string }[];
  readonly set: readonly { readonly name: string; readonly value: Template }[];
}

/** Framing, the hop, and what only the gateway says of the client and its identity. */
const UNTOUCHABLE: ReadonlySet<FieldKind> = new Set([
  FieldKind.HOST,
  FieldKind.CONTENT_LENGTH,
  FieldKind.TRANSFER_ENCODING,
  FieldKind.CONNECTION,
  FieldKind.EXPECT,
  FieldKind.UPGRADE,
  FieldKind.HOP_BY_HOP,
  FieldKind.FORWARDING,
  FieldKind.VIA,
  FieldKind.REQUEST_ID,
  FieldKind.TRACEPARENT,
  FieldKind.REVISION,
]);

/** Compiles the edits at `path`; what is wrong with them is added to `issues`. */
export function compileEdits(edits: HeaderEdits, path: string, issues: ConfigIssue[]): CompiledEdits {
  const seen = new Set<string>();
  const claim = (name: string, at: string) => {
    const problem =
      nameProblem(name) ?? (seen.has(name.toLowerCase()) ? `"${name}" is edited twice` : undefined);
    if (problem !== undefined) issues.push({ path: at, message: problem });
    seen.add(name.toLowerCase());
    return name;
  };
  const remove = (edits.remove ?? []).map((name, i) => claim(name, `${path}.remove[${i}]`));
  const rename = Object.entries(edits.rename ?? {}).map(([from, to]) => ({
    from: claim(from, `${path}.rename.${from}`).toLowerCase(),
    to: claim(to, `${path}.rename.${from}`),
  }));
  const set = Object.entries(edits.set ?? {}).flatMap(([name, text]) => {
    claim(name, `${path}.set.${name}`);
    const compiled = compileTemplate(text);
    if (typeof compiled !== 'string') return [{ name, value: compiled.template }];
    issues.push({ path: `${path}.set.${name}`, message: compiled });
    return [];
  });
  return { remove, rename, set };
}

function nameProblem(name: string): string | undefined {
  if (!isFieldName(name)) return `"${name}" is no header name`;
  const proxy = name.toLowerCase().startsWith('proxy-');
  return proxy || UNTOUCHABLE.has(fieldKind(name)) ? `"${name}" is the gateway's own to set` : undefined;
}
