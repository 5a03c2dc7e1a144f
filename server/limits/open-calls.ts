import { Code, ConnectError } from "@connectrpc/connect";
import type { DescMethod } from "@bufbuild/protobuf";
import { DrscpService } from "../../gen/drscp/v1/drscp_pb.ts";
import { type Call, currentCall } from "../call.ts";
import type { Gate } from "../callers/gate.ts";
import { codeName } from "../errors.ts";
import { cutOff } from "../json-reply.ts";

/**
 * How many calls of health and of reflection are open at once, which no rate or time bounds: so many of each method.
 *
 * One stream more is refused, RESOURCE_EXHAUSTED. One check more ends the one that has been open for longest: a check that is
 * here wholly is over at once, so a flood of others does not keep Kubernetes from the health.
 */
export class OpenCalls {
  readonly #max: number;
  readonly #open = new Map<DescMethod, Set<Call>>();

  constructor(max: number) {
    this.#max = max;
  }

  /** A gate that lets through what the inner one does, in this number, and tells the call so. */
  gate(inner: Gate): Gate {
    return async (context) => {
      await inner(context);
      const { service, method, values } = context;
      const call = values.get(currentCall);
      if (service.typeName !== DrscpService.typeName) this.#add(method, call);
      call.letIn = method;
    };
  }

  #add(method: DescMethod, call: Call): void {
    const calls = this.#open.get(method) ?? new Set();
    this.#open.set(method, calls);
    if (calls.size >= this.#max) this.#makeRoom(method, calls, call);
    calls.add(call);
    call.response.once("close", () => calls.delete(call));
  }

  #makeRoom({ methodKind, name }: DescMethod, calls: Set<Call>, call: Call): void {
    const [oldest] = calls;
    if (methodKind === "unary" && oldest) {
      calls.delete(oldest);
      cutOff(oldest.response);
      return;
    }
    call.outcome = codeName(Code.ResourceExhausted);
    const message = `${this.#max} calls of ${name} are open already: try again later, or raise --max-watches`;
    throw new ConnectError(message, Code.ResourceExhausted);
  }
}
