import { currentCall } from "../http/call.ts";
import type { Handler, ServerContext } from "../context.ts";

export function createBackup({ engine }: ServerContext): Handler<"createBackup"> {
  return async ({ backupName, itemName }, { values }) => {
    const { caller } = values.get(currentCall);
    return { backupCrn: await engine.createBackup({ backupName, itemName, caller }) };
  };
}
