import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { DrsError } from "../../engine/errors.ts";
import { type JobState, jobStates, type Message } from "../../engine/model.ts";
import { JobState_Value, type MessageSchema } from "../../gen/drscp/v1/job_pb.ts";

/** A member that a request must have. */
export function required(value: string, member: string): string {
  if (value === "") throw new DrsError("INVALID_ARGUMENT", `${member} is required`);
  return value;
}

/** A filter's states, each once. Protocols pass unknown numbers on; they are refused here. */
export function jobStatesOf(values: readonly JobState_Value[]): readonly JobState[] {
  return [...new Set(values)].map((value) => {
    const state = jobStates.find((name) => JobState_Value[name] === value);
    if (state) return state;
    throw new DrsError("INVALID_ARGUMENT", `jobStates: ${value} is not one of ${jobStates.join(", ")}`);
  });
}

export function toMessages(messages: readonly Message[]): MessageInitShape<typeof MessageSchema>[] {
  return messages.map(({ namespace, text, timestamp }) => ({
    namespace,
    text,
    timestamp: timestampFromDate(timestamp),
  }));
}
