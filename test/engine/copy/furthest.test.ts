import { expect, test } from "vitest";
import { furthest } from "../../../engine/copy/furthest.ts";
import type { JobContext } from "../../../engine/jobs/phase.ts";

test("a mover that is begun again counts as progress only when it comes further than any before", () => {
  const notes = new Map<string, unknown>();
  let progress = 0;
  const context = {
    notes: { get: (key: string) => notes.get(key), set: (key: string, value: unknown) => notes.set(key, value) },
    progressed: () => (progress += 1),
  } as unknown as JobContext;
  for (const bytes of [1, 1, 5, 5]) furthest(context, "cdp/a")({ bytes });
  expect(progress).toBe(2);
  for (const bytes of [0, 4, 5]) furthest(context, "cdp/a")({ bytes });
  expect(progress).toBe(2);
  furthest(context, "cdp/a")({ bytes: 6 });
  furthest(context, "cdp/b")({ bytes: 1 });
  expect(progress).toBe(4);
});
