import type { DescMethod } from "@bufbuild/protobuf";
import { DrsError } from "../../engine/errors.ts";
import type { Call, Target } from "../http/call.ts";
import type { Gate } from "../gate/gate.ts";
import { cutOff } from "../json/json-reply.ts";

/**
 * How many calls are open at once that no rate or time bounds, streams and those of strangers: so many of each method.
 *
 * One stream more is refused, RESOURCE_EXHAUSTED. One check of health more ends the one that has been open for longest: a check that is
 * here wholly is over at once, so a flood of others does not keep Kubernetes from the health.
 */
export class OpenCalls implements Gate {
  readonly #max: number;
  readonly #open = new Map<DescMethod, Set<Call>>();

  constructor(max: number) {
    this.#max = max;
  }

  enter(call: Call, { method, rule }: Target): void {
    if (method.methodKind === "unary" && rule.callers !== "anybody") return;
    const calls = this.#open.get(method) ?? new Set();
    this.#open.set(method, calls);
    if (calls.size >= this.#max) this.#makeRoom(method, calls);
    calls.add(call);
    call.response.once("close", () => calls.delete(call));
  }

  #makeRoom({ methodKind, name }: DescMethod, calls: Set<Call>): void {
    const [oldest] = calls;
    if (methodKind === "unary" && oldest) {
      calls.delete(oldest);
      cutOff(oldest.response);
      return;
    }
    const message = `${this.#max} calls of ${name} are open already: try again later`;
    throw new DrsError("RESOURCE_EXHAUSTED", message);
  }
}
