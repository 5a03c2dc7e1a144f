import { currentCall } from "../http/call.ts";
import type { Handler, ServerContext } from "../context.ts";
import { required } from "./translation.ts";

export function restoreBackup({ engine }: ServerContext): Handler<"restoreBackup"> {
  return async (request, { values }) => {
    const backupCrn = required(request.backupCrn, "backupCrn");
    const { caller } = values.get(currentCall);
    return { restoreCrn: await engine.restoreBackup({ backupCrn, caller }) };
  };
}
