import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";

const run = promisify(execFile);
const installer = join(import.meta.dirname, "../support/python-tool.sh");
/** How the installer ends when it says why it cannot. */
const cannot = 3;

declare module "vitest" {
  interface ProvidedContext {
    /** The program `cdp`; empty where it cannot be installed. */
    cdp: string;
  }
}

/** Installs the client once for all runs, and provides its path to the tests. */
export async function setup(project: TestProject): Promise<void> {
  try {
    const { stdout } = await run(installer, ["cdpcli", "0.9.164"]);
    project.provide("cdp", join(stdout.trim(), "cdp"));
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code !== cannot) throw error;
    process.stderr.write(stderr ?? "");
    project.provide("cdp", "");
  }
}
