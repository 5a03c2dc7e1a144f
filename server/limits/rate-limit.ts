import { isIPv6 } from "node:net";
import { DrsError } from "../../engine/errors.ts";
import type { Logger } from "../../engine/logger.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { type Call, currentCall } from "../call.ts";
import type { Gate } from "../callers/gate.ts";
import { codeName, toConnectError } from "../errors.ts";
import { RequestRate } from "./request-rate.ts";

/**
 * Holds each caller to a rate: RESOURCE_EXHAUSTED beyond it.
 *
 * Who is proven counts by name, from wherever; all else counts against the address it comes from, and so does a call until
 * its caller is proven. An address that has had its share is not asked who it is. Health is left out: a flood must not make Kubernetes end the service.
 */
export class RateLimit {
  readonly #perSecond: number;
  readonly #log: Logger;
  readonly #rate: RequestRate;
  readonly #records = new RequestRate(1);
  readonly #counted = new WeakSet<Call>();

  constructor(perSecond: number, log: Logger) {
    this.#perSecond = perSecond;
    this.#log = log;
    this.#rate = new RequestRate(perSecond);
  }

  /** A gate that lets callers through the inner one only so often. */
  gate(inner: Gate): Gate {
    return async (context) => {
      const call = context.values.get(currentCall);
      this.#counted.add(call);
      if (context.service.typeName === Health.typeName) return inner(context);
      try {
        await this.#admit(call, () => inner(context));
      } catch (error) {
        const translated = toConnectError(error, call.requestId, this.#log);
        call.outcome = codeName(translated.code);
        throw translated;
      }
    };
  }

  /** Counts a call that is over, when it was refused before it came to a gate: for a path that is none, say. */
  countStray(call: Call): void {
    const source = networkOf(call.address);
    if (this.#counted.has(call) || this.#rate.take(source)) return;
    call.isOneOfMany = !this.#records.take(source);
  }

  async #admit(call: Call, ask: () => Promise<void>): Promise<void> {
    const source = networkOf(call.address);
    if (!this.#rate.take(source)) this.#refuse(call, source);
    try {
      await ask();
    } finally {
      if (call.identity) {
        this.#rate.giveBack(source);
        const caller = `name ${call.identity.name}`;
        if (!this.#rate.take(caller)) this.#refuse(call, caller);
      }
    }
  }

  #refuse(call: Call, caller: string): never {
    call.isOneOfMany = !this.#records.take(caller);
    throw new DrsError(
      "RESOURCE_EXHAUSTED",
      `more than ${this.#perSecond} requests a second: send fewer, or raise --max-requests-per-second`,
    );
  }
}

/** The address; of IPv6 the /64, all of which one client has for itself (RFC 6177). */
function networkOf(address: string): string {
  const [ipv4] = /(?<=^::ffff:)[\d.]+$/i.exec(address) ?? [];
  if (ipv4 !== undefined || !isIPv6(address)) return ipv4 ?? address;
  const [left = [], right = []] = address.split("::").map((groups) => groups.split(":"));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...zeros, ...right].slice(0, 4).join(":");
}
