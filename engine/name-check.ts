/** Limit of names, in UTF-16 code units. The API's reference states none. */
const maxNameLength = 255;

/** The fault of a name given by a caller, or an archive; undefined when it is allowed. */
export function faultOfName(name: string): string | undefined {
  if (name.length > maxNameLength) return `is longer than ${maxNameLength} characters`;
  if (/\p{Cc}/u.test(name) || !name.isWellFormed()) return "holds control characters";
  return undefined;
}
