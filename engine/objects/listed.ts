/** So many are named; the rest is counted. */
const namedAtMost = 10;

/** Names for a message, and how many more there are. */
export function listed(names: readonly string[], separator = ", "): string {
  const more = names.length > namedAtMost ? ` and ${names.length - namedAtMost} more` : "";
  return `${names.slice(0, namedAtMost).join(separator)}${more}`;
}
