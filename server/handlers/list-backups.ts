import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { BackupPhase_Value, JobState_Value } from "../../gen/drscp/v1/job_pb.ts";
import type { Handler, ServerContext } from "../context.ts";
import { jobStatesOf } from "./translation.ts";

/** One page, also when no page size was asked for: see `list-pages.ts`. */
export function listBackups({ engine }: ServerContext): Handler<"listBackups"> {
  return ({ backupName, jobStates, pageSize, startingToken }) => {
    const filter = { backupName, jobStates: jobStatesOf(jobStates) };
    const { items, ...next } = engine.listBackups({ ...filter, pageSize, startingToken });
    return {
      ...next,
      backups: items.map((backup) => ({
        backupCrn: backup.crn,
        backupName: backup.name,
        backupJobState: JobState_Value[backup.state],
        backupPhase: BackupPhase_Value[backup.phase],
        backupCreationTime: timestampFromDate(backup.createdAt),
      })),
    };
  };
}
