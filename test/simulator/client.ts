import { afterEach, beforeEach, expect } from "vitest";
import { startSimulator } from "../../simulator/simulator.ts";
import type { Simulator, SimulatorOptions } from "../../simulator/simulator.ts";

/** What tests read of an answer: any JSON. */
// oxlint-disable-next-line typescript/no-explicit-any
type Answer = any;

/** A simulator of each test's own, and plain requests to it. */
export function simulated(options: SimulatorOptions = {}) {
  let simulator: Simulator;
  beforeEach(async () => {
    simulator = await startSimulator(options);
  });
  afterEach(() => simulator.close());

  async function call(method: string, path: string, body?: unknown, type = "application/json") {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const init = body === undefined ? {} : { body: text, headers: { "content-type": type } };
    const response = await fetch(simulator.url + path, { method, ...init });
    return { status: response.status, text: await response.text() };
  }

  async function ok(method: string, path: string, body?: unknown, type?: string): Promise<Answer> {
    const { status, text } = await call(method, path, body, type);
    expect(status, `${method} ${path}: ${text}`).toBeLessThan(300);
    return JSON.parse(text);
  }

  return {
    get simulator() {
      return simulator;
    },
    call,
    get: (path: string) => ok("GET", path),
    post: (path: string, body: unknown) => ok("POST", path, body),
    put: (path: string, body: unknown) => ok("PUT", path, body),
    merge: (path: string, body: unknown) => ok("PATCH", path, body, "application/merge-patch+json"),
    delete: (path: string, body?: unknown) => ok("DELETE", path, body),
    async exists(path: string): Promise<boolean> {
      return (await call("GET", path)).status === 200;
    },
    settled: () => simulator.settled(),
  };
}
