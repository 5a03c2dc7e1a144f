import { expect, test, vi } from "vitest";
import { Closers } from "../../engine/closers.ts";

test("each closer runs, the last one first, also when others throw; the first error is reported, and each is logged", async () => {
  const error = vi.fn();
  const closers = new Closers({ info() {}, warn() {}, error });
  const seen: string[] = [];
  closers.onClose(() => seen.push("database"));
  closers.onClose(async () => {
    seen.push("engine");
    throw new Error("the engine");
  });
  closers.onClose(() => {
    seen.push("server");
    throw new Error("the server");
  });
  await expect(closers.close()).rejects.toThrow("the server");
  expect(seen).toEqual(["server", "engine", "database"]);
  expect(error).toHaveBeenCalledTimes(2);
  await closers.close();
  expect(seen).toHaveLength(3);
});
