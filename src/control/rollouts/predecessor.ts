import type { StoredActivation } from '../../store/index.ts';

/**
 * What was active before what is active now, as somebody means it who goes back: whoever went back already goes one
 * further back, and not forth again. `activations`: newest first. Undefined where nothing is known of it.
 */
export function predecessorOf(
  activations: readonly Pick<StoredActivation, 'id' | 'how'>[],
): string | undefined {
  const way: string[] = [];
  for (const { id, how } of activations.toReversed()) {
    const known = how === 'rollback' ? way.lastIndexOf(id) : -1;
    if (known !== -1) way.length = known + 1;
    else if (way.at(-1) !== id) way.push(id);
  }
  return way.at(-2);
}
