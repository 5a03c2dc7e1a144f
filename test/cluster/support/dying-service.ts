import { writeSync } from "node:fs";
import { CrashPoints } from "../../../engine/crash-points.ts";
import { runService } from "../../../server/service.ts";

/**
 * The service, in whose output is a line for each crash point that it comes by. It dies at the one that its first argument names, as if its
 * power were cut; the others are the service's own.
 */
const [crashAt, ...args] = process.argv.slice(2);

runService(
  args,
  new CrashPoints((point) => {
    writeSync(1, `${JSON.stringify({ point })}\n`);
    if (point === crashAt) process.kill(process.pid, "SIGKILL");
  }),
);
