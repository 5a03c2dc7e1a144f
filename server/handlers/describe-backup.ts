import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { BackupPhase_Value, JobState_Value } from "../../gen/drscp/v1/job_pb.ts";
import type { Handler, ServerContext } from "../context.ts";
import { required, toMessages } from "./translation.ts";

export function describeBackup({ engine }: ServerContext): Handler<"describeBackup"> {
  return (request) => {
    const backup = engine.describeBackup(required(request.backupCrn, "backupCrn"));
    return {
      backup: {
        backupCrn: backup.crn,
        backupName: backup.name,
        backupJob: backup.job,
        backupJobState: JobState_Value[backup.state],
        backupPhase: BackupPhase_Value[backup.phase],
        backupCreationTime: timestampFromDate(backup.createdAt),
        backupUpdatedTime: timestampFromDate(backup.updatedAt),
        includedNamespaces: [...backup.includedNamespaces],
        warnings: toMessages(backup.warnings),
        errors: toMessages(backup.errors),
      },
    };
  };
}
