import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { JobState_Value, RestorePhase_Value } from "../../gen/drscp/v1/job_pb.ts";
import type { Handler, ServerContext } from "../context.ts";
import { required, toMessages } from "./translation.ts";

export function describeRestore({ engine }: ServerContext): Handler<"describeRestore"> {
  return (request) => {
    const restore = engine.describeRestore(required(request.restoreCrn, "restoreCrn"));
    return {
      restore: {
        restoreCrn: restore.crn,
        backupCrn: restore.backupCrn,
        restoreJob: restore.job,
        restoreJobState: JobState_Value[restore.state],
        restorePhase: RestorePhase_Value[restore.phase],
        restoreCreationTime: timestampFromDate(restore.createdAt),
        restoreUpdatedTime: timestampFromDate(restore.updatedAt),
        includedNamespaces: [...restore.includedNamespaces],
        excludedResources: [...restore.excludedResources],
        successConditions: [...restore.successConditions],
        warnings: toMessages(restore.warnings),
        errors: toMessages(restore.errors),
      },
    };
  };
}
