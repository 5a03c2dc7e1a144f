import { expect, test } from "vitest";
import { makeCrn, parseCrn, uuidOf } from "../../engine/crn.ts";

const config = { partition: "altus", region: "us-west-1", account: "acme" };

test("a CRN made here is read back", () => {
  const crn = makeCrn("deleteBackup", config);
  expect(crn).toMatch(/^crn:altus:drs:us-west-1:acme:deleteBackup:[0-9a-f-]{36}$/u);
  expect(parseCrn(crn)).toEqual({ type: "deleteBackup", uuid: crn.slice(-36) });
  expect(uuidOf(crn)).toBe(crn.slice(-36));
  expect(makeCrn("backup", config)).not.toBe(makeCrn("backup", config));
});

test("a CRN of another partition, region and account is one too", () => {
  const uuid = "0b5e1c0e-7c1e-4f35-8a55-2b4f2c4f6a10";
  expect(parseCrn(`crn:cdp:drs:eu-1:a1b2-c3:backup:${uuid}`, "backup")).toEqual({ type: "backup", uuid });
});

test.each([
  ["a name", "Backup 2"],
  ["an empty text", ""],
  ["another service's", "crn:altus:iam:us-west-1:acme:backup:0b5e1c0e-7c1e-4f35-8a55-2b4f2c4f6a10"],
  ["one without a uuid", "crn:altus:drs:us-west-1:acme:backup:nightly"],
  ["one with a slash", "crn:altus:drs:us-west-1:../acme:backup:0b5e1c0e-7c1e-4f35-8a55-2b4f2c4f6a10"],
  ["one with a line after it", "crn:altus:drs:us-west-1:acme:backup:0b5e1c0e-7c1e-4f35-8a55-2b4f2c4f6a10\n"],
  ["another type's", "crn:altus:drs:us-west-1:acme:restore:0b5e1c0e-7c1e-4f35-8a55-2b4f2c4f6a10"],
])("%s is no CRN of a backup: the error says what was expected and what came", (_, text) => {
  const work = () => parseCrn(text, "backup");
  expect(work).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  expect(work).toThrow(`:backup:<uuid>, got ${JSON.stringify(text)}`);
});

test("a very long text is not repeated in full", () => {
  expect(() => parseCrn("x".repeat(10_000))).toThrow(/^.{1,400}$/u);
});
