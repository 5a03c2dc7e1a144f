import { expect, test } from "vitest";
import { DrsError } from "../../../engine/errors.ts";
import { cleanUp } from "../../../engine/restore/fill/clean-up.ts";
import { StoreError } from "../../../engine/store/store-errors.ts";

const fails = (failure: DrsError) => async () => {
  throw failure;
};

test("all pieces of a clean-up are tried, refusals are reported, and what may pass is thrown with what each says", async () => {
  const reported: string[] = [];
  const work = cleanUp(
    (_code, _namespace, text) => reported.push(text),
    fails(new DrsError("FAILED_PRECONDITION", "volume one is held", { id: "DRS-R043" })),
    fails(new DrsError("PERMISSION_DENIED", "volume two may not be deleted", { id: "DRS-R043" })),
    fails(new DrsError("UNAVAILABLE", "volume three is out of reach")),
  );
  await expect(work).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: "volume two may not be deleted; volume three is out of reach",
  });
  expect(reported).toEqual(["volume one is held"]);
});

test("an error of the database is thrown as it is", async () => {
  const lost = new StoreError("UNAVAILABLE", "the database does not answer");
  const denied = new DrsError("PERMISSION_DENIED", "volume two may not be deleted", { id: "DRS-R043" });
  await expect(cleanUp(() => {}, fails(denied), fails(lost))).rejects.toBe(lost);
});
