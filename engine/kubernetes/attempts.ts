import { DrsError } from "../errors.ts";
import { forEachInFlight } from "./in-flight.ts";
import { KubernetesError } from "./kubernetes-error.ts";

/**
 * Runs `work` for every item as `forEachInFlight` does, but goes on where the API server refuses one, or one is not as it has to
 * be (FAILED_PRECONDITION). Gives these failures.
 */
export async function attemptEach<T>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<ReadonlyMap<T, DrsError>> {
  const failures = new Map<T, DrsError>();
  await forEachInFlight(items, limit, async (item) => {
    try {
      await work(item);
    } catch (error) {
      const isOfItem = error instanceof DrsError && error.code === "FAILED_PRECONDITION";
      if (!isOfItem && !(error instanceof KubernetesError)) throw error;
      failures.set(item, error);
    }
  });
  return failures;
}

/** Throws what has failed, if anything has, as one error: UNAVAILABLE or PERMISSION_DENIED where one of them is, as these may pass. */
export function throwAll(failures: readonly DrsError[]): void {
  if (failures.length === 0) return;
  const codes = failures.map(({ code }) => code);
  const code = (["UNAVAILABLE", "PERMISSION_DENIED"] as const).find((passing) => codes.includes(passing));
  throw new DrsError(code ?? "FAILED_PRECONDITION", failures.map(({ message }) => message).join("; "), {
    id: failures[0]?.id,
    cause: failures[0],
  });
}

/** The failure of a piece of work, where that is one as `attemptEach` gives them. */
export async function failureOf(work: () => Promise<void>): Promise<readonly DrsError[]> {
  return [...(await attemptEach([work], 1, (one) => one())).values()];
}
