import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { JobState_Value, RestorePhase_Value } from "../../gen/drscp/v1/job_pb.ts";
import type { Handler, ServerContext } from "../context.ts";
import { jobStatesOf } from "../translation.ts";

export function listRestores({ engine }: ServerContext): Handler<"listRestores"> {
  return ({ backupCrn, jobStates }) => {
    const restores = engine.listRestores({ backupCrn, jobStates: jobStatesOf(jobStates) });
    return {
      restores: restores.map((restore) => ({
        restoreCrn: restore.crn,
        backupCrn: restore.backupCrn,
        restoreJobState: JobState_Value[restore.state],
        restorePhase: RestorePhase_Value[restore.phase],
        restoreCreationTime: timestampFromDate(restore.createdAt),
        includedNamespaces: [...restore.includedNamespaces],
      })),
    };
  };
}
