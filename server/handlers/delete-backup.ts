import { currentCall } from "../http/call.ts";
import type { Handler, ServerContext } from "../context.ts";
import { required } from "./translation.ts";

export function deleteBackup({ engine }: ServerContext): Handler<"deleteBackup"> {
  return async (request, { values }) => {
    const backupCrn = required(request.backupCrn, "backupCrn");
    const { caller } = values.get(currentCall);
    return { deleteBackupCrn: await engine.deleteBackup({ backupCrn, caller }) };
  };
}
