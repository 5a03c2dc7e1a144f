import { readFileSync } from "node:fs";

const { scripts } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  scripts: { start: string };
};

/** What `npm start` gives to Node, in the project's folder: the limits of the heap, and the service's program. */
export const startArguments: readonly string[] = scripts.start.split(" ").slice(1);
