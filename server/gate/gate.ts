import type { Message } from "@bufbuild/protobuf";
import type { Call, Target } from "../http/call.ts";

/** One of the gates that every call passes, whatever its protocol, at up to four moments. */
export interface Gate {
  /**
   * Before the request's body is read. An error refuses the call.
   *
   * @param signal Aborted when nobody waits for the answer any more.
   */
  enter?(call: Call, target: Target, signal: AbortSignal): void | Promise<void>;
  /**
   * Before its handler is asked; what it throws refuses the call.
   *
   * @param request Missing where requests come in a stream.
   */
  begin?(call: Call, target: Target, request: Message | undefined): void;
  /**
   * The handler is done, well or not, and a stream has ended. Never throws. A list that is sent in pieces begins and ends with each.
   *
   * @param reply Missing when it failed, and where replies come in a stream.
   */
  end?(call: Call, reply: Message | undefined): void;
  /** The reply is over, sent or not; also of a call that came to no other gate. Never throws. */
  replied?(call: Call): void;
}
