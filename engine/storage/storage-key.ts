import { DrsError } from "../errors.ts";

/** Whether the text is a key: any other file in a folder or a bucket is not ours and is not listed. */
export function isKey(text: string): boolean {
  return text.length <= maxKeyLength && keyPattern.test(text);
}

/**
 * Throws INVALID_ARGUMENT unless the key is safe as a path and as a bucket's key: segments of letters, digits, `.`, `_`
 * and `-`, none empty and none beginning with a dot, which leaves no `..` and no hidden file.
 */
export function checkKey(key: string): void {
  if (!isKey(key)) {
    throw new DrsError("INVALID_ARGUMENT", `${JSON.stringify(key.slice(0, 200))} is not a key of an archive storage`);
  }
}

/** Throws INVALID_ARGUMENT unless the prefix is a key that ends in a slash. */
export function checkPrefix(prefix: string): void {
  if (!prefix.endsWith("/")) {
    throw new DrsError("INVALID_ARGUMENT", `${JSON.stringify(prefix.slice(0, 200))} does not end in a slash`);
  }
  checkKey(prefix.slice(0, -1));
}

/** S3's limit is 1,024 bytes, of which the configured prefix takes some. */
const maxKeyLength = 900;
/** A file name has at most 255 bytes. */
const keyPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}(?:\/[A-Za-z0-9_][A-Za-z0-9._-]{0,254})*$/;
