import { afterAll, beforeAll, expect, test } from "vitest";
import { aControlPlane, type SmallControlPlane } from "../fidelity/support.ts";
import { launchService } from "../support/service.ts";

let plane: SmallControlPlane;

beforeAll(async () => {
  plane = await aControlPlane("faults-database");
});

afterAll(async () => plane?.remove());

test("a second service on the same database ends with a clear error, and the first one goes on", async () => {
  const { cluster, service } = plane;
  const second = await launchService({ cluster, data: service.data });
  await second.ended;
  expect(second.output()).toMatch(
    /^error: database .*drs\.db: another process uses the file: only one may run at a time/,
  );

  await plane.backUp();
});
