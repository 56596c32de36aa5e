/** Place of a value in a document: keys of objects and indexes of lists, from the top. */
export type DocumentPath = readonly (string | number)[];

const PLAIN_KEY = /^[A-Za-z_$][A-Za-z0-9_$-]*$/;
const STEP = /\.?([^.[\]"]+)|\[([0-9]+)\]|\["((?:[^"\\]|\\.)*)"\]/y;

/** `routes[0].policies[1].rate-limit.limit`; keys with other characters stand in brackets: `upstreams["a.b"]`. */
export function formatPath(path: DocumentPath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!PLAIN_KEY.test(step)) text += `[${JSON.stringify(step)}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

/** Reads what `formatPath` writes, and what policies write of their config; stops where it understands no more. */
export function parsePath(text: string): DocumentPath {
  const path: (string | number)[] = [];
  STEP.lastIndex = 0;
  for (let match = STEP.exec(text); match !== null; match = STEP.exec(text)) {
    const [, plain, index, quoted] = match;
    if (index !== undefined) path.push(Number(index));
    else path.push(plain ?? unquote(quoted));
  }
  return path;
}

/** Puts a path relative to a config (as a policy's ConfigError gives it) under the config's own place. */
export function joinPath(base: DocumentPath, relative: string): string {
  const prefix = formatPath(base);
  if (relative === '' || prefix === '' || relative.startsWith('[')) return prefix + relative;
  return `${prefix}.${relative}`;
}

function unquote(text: string): string {
  try {
    return String(JSON.parse(`"${text}"`));
  } catch {
    return text;
  }
}
