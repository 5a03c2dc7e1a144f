import { isIPv6 } from "node:net";
import { Code } from "@connectrpc/connect";
import { DrsError } from "../../engine/errors.ts";
import type { Logger } from "../../engine/logger.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { type Call, currentCall } from "../call.ts";
import type { Gate } from "../callers/gate.ts";
import { toConnectError } from "../errors.ts";
import { RequestRate } from "./request-rate.ts";

/**
 * Lets each caller through the gate so often and not more: RESOURCE_EXHAUSTED beyond, before the body is read.
 *
 * Who is proven counts by name, from wherever; all else, and what the gate refuses, counts against the address it comes
 * from. An address that has had its share is not asked who it is. Health is left out: a flood must not make
 * Kubernetes end the service.
 */
export function limitRate(gate: Gate, perSecond: number, log: Logger): Gate {
  const rate = new RequestRate(perSecond);
  const records = new RequestRate(1);

  const refuse = (call: Call, caller: string) => {
    call.isOneOfMany = !records.take(caller);
    throw new DrsError(
      "RESOURCE_EXHAUSTED",
      `more than ${perSecond} requests a second: send fewer, or raise --max-requests-per-second`,
    );
  };
  const admit = async (call: Call, ask: () => Promise<void>) => {
    const address = networkOf(call.request.socket.remoteAddress ?? "");
    if (rate.isSpent(address)) refuse(call, address);
    try {
      await ask();
    } finally {
      const caller = call.identity ? `name ${call.identity.name}` : address;
      if (!rate.take(caller)) refuse(call, caller);
    }
  };
  return async (context) => {
    if (context.service.typeName === Health.typeName) return gate(context);
    const call = context.values.get(currentCall);
    try {
      await admit(call, () => gate(context));
    } catch (error) {
      const translated = toConnectError(error, call.requestId, log);
      call.outcome = Code[translated.code];
      throw translated;
    }
  };
}

/** The address; of IPv6 the /64, all of which one client has for itself (RFC 6177). */
function networkOf(address: string): string {
  const [ipv4] = /(?<=^::ffff:)[\d.]+$/i.exec(address) ?? [];
  if (ipv4 !== undefined || !isIPv6(address)) return ipv4 ?? address;
  const [left = [], right = []] = address.split("::").map((groups) => groups.split(":"));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...zeros, ...right].slice(0, 4).join(":");
}
