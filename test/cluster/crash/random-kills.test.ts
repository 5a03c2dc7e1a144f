import { afterAll, beforeAll, expect, test } from "vitest";
import { sharedCluster } from "../support/shared-cluster.ts";
import { type Chance, chanceFrom, chooseSeed } from "./chance.ts";
import type { JobKind } from "./crash-points.ts";
import { CrashScene } from "./crash-scene.ts";
import type { Death } from "./deaths.ts";
import { expectUnbroken } from "./life-cycle.ts";

const kills = process.env["CRASH_TESTS"] === "all" ? 100 : 8;

/** How many deaths a job has at most: few enough that none is abandoned, which takes more than ten in one phase. */
const most: Record<JobKind, number> = { backup: 2, restore: 6, deletion: 1 };
/** A process takes about a second until it works on a job, and a whole restore some eight. */
const earliestMs: Record<JobKind, number> = { backup: 50, restore: 50, deletion: 10 };
const latestMs: Record<JobKind, number> = { backup: 2_500, restore: 5_000, deletion: 800 };

let scene: CrashScene;
let chance: Chance;

beforeAll(async () => {
  chance = chanceFrom(chooseSeed("random kills"));
  scene = await CrashScene.open(await sharedCluster());
});

afterAll(async () => scene?.close());

test(
  `nothing is lost or doubled by ${kills} kills at random moments`,
  async () => {
    const died: Death[] = [];
    while (died.length < kills) {
      await expectUnbroken(scene, { deaths: randomDeaths, onEnd: (_kind, survivor) => died.push(...survivor.died) });
      console.log(`survived ${died.length} kills, of at least ${kills}`);
    }
    expect(died.length).toBeGreaterThanOrEqual(kills);
  },
  kills * 60_000,
);

function randomDeaths(kind: JobKind): readonly Death[] {
  return Array.from({ length: most[kind] }, () => ({ afterMs: chance.between(earliestMs[kind], latestMs[kind]) }));
}
