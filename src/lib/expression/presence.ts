import type { ASTNode } from '@marcbachmann/cel-js';
import { didYouMean } from '../suggest.ts';
import type { Declarations } from './declarations.ts';
import { ExpressionError } from './expression-error.ts';

/**
 * Refuses `has(request.headrs)`: the library checks nothing inside `has`, so a misspelt field would be absent from
 * every request, and a condition with it would never hold. Throws ExpressionError.
 */
export function checkPresence(call: ASTNode, { variables, types = {} }: Declarations): void {
  if (call.op !== 'call' || call.args[0] !== 'has') return;
  for (let node: unknown = call.args[1]?.[0]; isSelection(node); node = node.args[0]) {
    const [owner, field] = node.args;
    if (!isName(owner)) continue;
    const fields = types[variables[owner.args]]?.fields;
    if (fields === undefined || Object.hasOwn(fields, field)) continue;
    const names = Object.keys(fields);
    const suggestion = didYouMean(field, names) ?? `known: ${names.join(', ')}`;
    throw new ExpressionError(call.input, `${owner.args} has no field "${field}"`, suggestion);
  }
}

interface Selection {
  readonly args: readonly [owner: unknown, field: string];
}

const isNode = (value: unknown): value is { readonly op: unknown; readonly args: unknown } =>
  typeof value === 'object' && value !== null && 'op' in value && 'args' in value;

const isSelection = (value: unknown): value is Selection =>
  isNode(value) && value.op === '.' && Array.isArray(value.args) && typeof value.args[1] === 'string';

const isName = (value: unknown): value is { readonly args: string } =>
  isNode(value) && value.op === 'id' && typeof value.args === 'string';
