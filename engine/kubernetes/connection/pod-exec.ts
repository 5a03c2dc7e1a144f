import { Writable } from "node:stream";
import type { KubeConfig } from "@kubernetes/client-node";
import { DrsError, type ErrorCode } from "../../errors.ts";
import { loadClientLibrary } from "./client-library.ts";

export interface PodCommand {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  readonly timeoutMs: number;
}

/** Limit of a command's kept output. */
const keptOutput = 4_096;

/**
 * A command that has begun and whose end is not known. It may run on in its container: to close the connection ends no
 * process there, and Kubernetes has no call that does (https://github.com/kubernetes/kubernetes/issues/22882).
 */
export class StillRunningError extends DrsError {
  override readonly name = "StillRunningError";
}

/**
 * Runs a command in a container and gives the last of its output. Throws FAILED_PRECONDITION when the command fails or the
 * cluster refuses to start it, UNAVAILABLE when the API server or the pod's node cannot be reached, and StillRunningError
 * when the command does not end in time (FAILED_PRECONDITION) or the connection breaks meanwhile (UNAVAILABLE).
 */
export async function execInPod(kubeConfig: KubeConfig, command: PodCommand, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const { Exec } = await loadClientLibrary();
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
  const fail = (
    code: ErrorCode,
    text: string,
    { cause, isRunning = false }: { cause?: unknown; isRunning?: boolean } = {},
  ) =>
    reject(
      new (isRunning ? StillRunningError : DrsError)(code, `the command in ${where} ${text}`, { id: undefined, cause }),
    );
  let hasBegun = false;
  const limit = setTimeout(() => {
    const seconds = command.timeoutMs / 1000;
    if (hasBegun)
      fail("FAILED_PRECONDITION", `did not end within ${seconds} s, and may still run`, { isRunning: true });
    else fail("UNAVAILABLE", `could not be started within ${seconds} s: the cluster does not answer`);
  }, command.timeoutMs);
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
      else
        fail(
          "FAILED_PRECONDITION",
          `failed: ${status.message ?? "no reason given"}${output === "" ? "" : `; it said: ${output.trim()}`}`,
        );
    },
  );
  const closing = opening.then(
    (socket) => {
      hasBegun = true;
      const broken = "may have run to its end or not: the connection broke";
      socket.addEventListener("close", () => fail("UNAVAILABLE", broken, { isRunning: true }));
      return () => socket.close();
    },
    (error: unknown) => {
      const { message = "the cluster refused it" } = error as { message?: string };
      const text = `could not be started: ${message || "no connection"}`;
      fail(isRefusal(message) ? "FAILED_PRECONDITION" : "UNAVAILABLE", text, { cause: error });
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

/**
 * Whether the API server has refused to start a command (the pod is not there, the right is missing), as the WebSocket's
 * error says. A node that does not answer is its 5xx, and an API server that does not answer has no status at all.
 */
function isRefusal(message: string): boolean {
  return /Unexpected server response: 4(?!29)\d\d/.test(message);
}
