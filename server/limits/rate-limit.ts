import { isIPv6 } from "node:net";
import { DrsError } from "../../engine/errors.ts";
import type { Call } from "../http/call.ts";
import type { Gate } from "../gate/gate.ts";
import { RequestRate } from "./request-rate.ts";

/**
 * Holds each caller to a rate: RESOURCE_EXHAUSTED beyond it.
 *
 * Authenticated callers count by name, from wherever; all other calls count against the address they come from, and so does a call until
 * it is authenticated. Calls of an address that has had its share are not even authenticated. Health, which is open to strangers, is
 * left out: a flood must not make Kubernetes end the service.
 */
export class RateLimit {
  readonly #perSecond: number;
  readonly #rate: RequestRate;
  readonly #records = new RequestRate(1);
  readonly #counted = new WeakSet<Call>();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#rate = new RequestRate(perSecond);
  }

  /** Before it is asked who calls. A call that came to no gate, for a path that is none, say, counts once it is over. */
  readonly ofAddresses: Gate = {
    enter: (call, { rule }) => {
      this.#counted.add(call);
      if (rule.callers !== "anybody") this.#take(call, networkOf(call.address));
    },
    replied: (call) => {
      const source = networkOf(call.address);
      if (this.#counted.has(call) || this.#rate.take(source)) return;
      call.isOneOfMany = !this.#records.take(source);
    },
  };

  /** Once it is known who calls. */
  readonly ofCallers: Gate = {
    enter: (call) => {
      if (!call.identity) return;
      this.#rate.giveBack(networkOf(call.address));
      this.#take(call, `name ${call.identity.name}`);
    },
  };

  #take(call: Call, caller: string): void {
    if (this.#rate.take(caller)) return;
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
