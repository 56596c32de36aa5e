import type { Row } from './scenario.ts';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

const place = ({ callFrame: f }: ProfileNode): string => {
  const file = f.url.replace(/^file:\/\//, '').replace(/^.*\/(src|node_modules)\//, '$1/');
  return `${f.functionName || '(anonymous)'} ${file}${f.lineNumber >= 0 ? `:${f.lineNumber + 1}` : ''}`;
};

/** The `top` functions of a `.cpuprofile` by time spent in themselves, idle time left out. */
export function selfTimes(
  text: string,
  top: number,
): { readonly rows: readonly Row[]; readonly totalMs: number } {
  const profile: Profile = JSON.parse(text);
  const places = new Map(profile.nodes.map((node) => [node.id, place(node)]));
  const times = new Map<string, number>();
  let total = 0;
  for (const [i, id] of profile.samples.entries()) {
    const name = places.get(id) ?? '?';
    if (name.startsWith('(idle)')) continue;
    const delta = profile.timeDeltas[i];
    total += delta;
    times.set(name, (times.get(name) ?? 0) + delta);
  }
  const rows = [...times]
    .sort((a, b) => b[1] - a[1])
    .slice(0, top)
    .map(([name, time]) => ({
      'self %': ((100 * time) / total).toFixed(1),
      'self ms': (time / 1000).toFixed(0),
      function: name,
    }));
  return { rows, totalMs: total / 1000 };
}
