/** Of names, in UTF-16 code units. The API's reference states none. */
const maxNameLength = 255;

/** What is wrong with a name that a caller, or an archive, gives; undefined when it is allowed. */
export function faultOfName(name: string): string | undefined {
  if (name.length > maxNameLength) return `is longer than ${maxNameLength} characters`;
  if (/\p{Cc}/u.test(name) || !name.isWellFormed()) return "holds control characters";
  return undefined;
}
