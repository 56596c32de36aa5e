const MAX_NAMES = 5;
const MAX_LENGTH = 80;

/**
 * Names of somebody else's making as the record shows them: `[orders, stock]`. At most five, each cut to 80 characters,
 * without what could pass for more than a name.
 */
export function nameList(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).map((name) => {
    const plain = name.replace(/[^\x20-\x7e]/g, '?');
    return plain.length > MAX_LENGTH ? `${plain.slice(0, MAX_LENGTH)}…` : plain;
  });
  const more = names.length > MAX_NAMES ? [`${names.length - MAX_NAMES} more`] : [];
  return `[${[...shown, ...more].join(', ')}]`;
}
