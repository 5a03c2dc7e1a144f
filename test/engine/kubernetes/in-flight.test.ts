import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { forEachInFlight } from "../../../engine/kubernetes/in-flight.ts";

test("what is under way has settled when a failure of the items is thrown, as with one of the work", async () => {
  for (const breaksAt of ["items", "work"]) {
    let underWay = 0;
    async function* items(): AsyncGenerator<number> {
      yield 1;
      yield 2;
      if (breaksAt === "items") throw new Error("the list broke");
    }
    const work = async (item: number): Promise<void> => {
      underWay++;
      if (item === 1) for (let turn = 0; turn < 20; turn++) await setImmediate();
      underWay--;
      if (item === 2 && breaksAt === "work") throw new Error("the list broke");
    };
    await expect(forEachInFlight(items(), 4, work)).rejects.toThrow("the list broke");
    expect(underWay).toBe(0);
  }
});
