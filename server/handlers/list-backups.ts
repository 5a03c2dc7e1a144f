import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { BackupPhase_Value, JobState_Value } from "../../gen/drscp/v1/job_pb.ts";
import type { Handler, ServerContext } from "../context.ts";
import { jobStatesOf } from "../translation.ts";

export function listBackups({ engine }: ServerContext): Handler<"listBackups"> {
  return ({ backupName, jobStates }) => {
    const backups = engine.listBackups({ backupName, jobStates: jobStatesOf(jobStates) });
    return {
      backups: backups.map((backup) => ({
        backupCrn: backup.crn,
        backupName: backup.name,
        backupJobState: JobState_Value[backup.state],
        backupPhase: BackupPhase_Value[backup.phase],
        backupCreationTime: timestampFromDate(backup.createdAt),
      })),
    };
  };
}
