import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { JobState_Value, RestorePhase_Value } from "../../gen/drscp/v1/job_pb.ts";
import type { Handler, ServerContext } from "../context.ts";
import { jobStatesOf } from "./translation.ts";

/** One page, also when no page size was asked for: see `list-pages.ts`. */
export function listRestores({ engine }: ServerContext): Handler<"listRestores"> {
  return ({ backupCrn, jobStates, pageSize, startingToken }) => {
    const filter = { backupCrn, jobStates: jobStatesOf(jobStates) };
    const { items, ...next } = engine.listRestores({ ...filter, pageSize, startingToken });
    return {
      ...next,
      restores: items.map((restore) => ({
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
