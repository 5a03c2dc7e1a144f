const noFolder = "something that is not a folder is in its place, or above it";
const notAllowed = "the service's user may not make it, or not read and write it";

const reasons: Readonly<Record<string, string>> = {
  EEXIST: noFolder,
  ENOTDIR: noFolder,
  EACCES: notAllowed,
  EPERM: notAllowed,
  EROFS: "its file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk's quota is used up",
};

/** Why a folder can be neither made nor used as it is, whatever it is for. */
export function whyUnusable(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  return reasons[code] === undefined ? error.message : `${reasons[code]} (${code})`;
}
