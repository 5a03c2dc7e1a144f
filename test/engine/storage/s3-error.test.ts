import { expect, test } from "vitest";
import { DrsError } from "../../../engine/errors.ts";
import { translateS3Error } from "../../../engine/storage/s3-error.ts";

const { signal } = new AbortController();

/** What is said of an error of this name, on a file and a bucket whose names look like anything. */
function said(name: string, more: object = {}, message = "of the client"): string {
  const error = Object.assign(new Error(message), { name }, more);
  const translated = translateS3Error(error, "bucket STORAGE-KEY/$&", "backups/_ID", signal);
  expect(translated).toBeInstanceOf(DrsError);
  return (translated as DrsError).message;
}

test("names are put into a bucket's errors as they are, and what else is capitals stays", () => {
  expect(said("CredentialsProviderError")).toBe(
    "no credentials were found for bucket STORAGE-KEY/$&: " +
      "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give a profile or a role",
  );
  expect(said("NoSuchKey")).toBe("backups/_ID is not in bucket STORAGE-KEY/$&");
  expect(said("Odd", {}, "KEY of STORAGE")).toBe(
    "backups/_ID in bucket STORAGE-KEY/$& cannot be used (KEY of STORAGE)",
  );
  expect(said("Error", { code: "ECONNREFUSED" })).toBe("bucket STORAGE-KEY/$& cannot be reached (ECONNREFUSED)");
});
