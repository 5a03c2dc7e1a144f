import { Writable } from "node:stream";
import type { KubeConfig } from "@kubernetes/client-node";
import { DrsError } from "../errors.ts";

export interface PodCommand {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  readonly timeoutMs: number;
}

/** What is kept of a command's output. */
const keptOutput = 4_096;

/**
 * Runs a command in a container and gives the last of its output. Throws FAILED_PRECONDITION when the command fails, does
 * not end in time or cannot be started.
 */
export async function execInPod(kubeConfig: KubeConfig, command: PodCommand, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const { Exec } = await import("@kubernetes/client-node");
  const where = `${command.container} of pod ${command.namespace}/${command.pod}`;
  let output = "";
  const keep = () =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        output = (output + chunk.toString()).slice(-keptOutput);
        done();
      },
    });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (text: string, cause?: unknown) =>
    reject(new DrsError("FAILED_PRECONDITION", `the command in ${where} ${text}`, { cause }));
  const limit = setTimeout(() => fail(`did not end within ${command.timeoutMs / 1000} s`), command.timeoutMs);
  const abort = () => reject(signal.reason as Error);
  signal.addEventListener("abort", abort);
  const opening = new Exec(kubeConfig).exec(
    command.namespace,
    command.pod,
    command.container,
    [...command.command],
    keep(),
    keep(),
    null,
    false,
    (status) => {
      if (status.status === "Success") resolve(output);
      else fail(`failed: ${status.message ?? "no reason given"}${output === "" ? "" : `; it said: ${output.trim()}`}`);
    },
  );
  const closing = opening.then(
    (socket) => {
      socket.addEventListener("close", () => fail("ended without a status: the connection broke"));
      return () => socket.close();
    },
    (error: unknown) => {
      const reason = error instanceof Error ? error.message : (error as { message?: string }).message;
      fail(`could not be started: ${reason ?? "the cluster refused it"}`, error);
      return () => {};
    },
  );
  try {
    return await promise;
  } finally {
    clearTimeout(limit);
    signal.removeEventListener("abort", abort);
    void closing.then((close) => close());
  }
}
