import type { ServiceImpl } from "@connectrpc/connect";
import type { DrscpService } from "../gen/drscp/v1/drscp_pb.ts";
import type { ServerContext } from "./context.ts";
import { createBackup } from "./handlers/create-backup.ts";
import { deleteBackup } from "./handlers/delete-backup.ts";
import { describeBackup } from "./handlers/describe-backup.ts";
import { describeRestore } from "./handlers/describe-restore.ts";
import { getLogs } from "./handlers/get-logs.ts";
import { listBackupEntities } from "./handlers/list-backup-entities.ts";
import { listBackups } from "./handlers/list-backups.ts";
import { listRestores } from "./handlers/list-restores.ts";
import { restoreBackup } from "./handlers/restore-backup.ts";

/** Every rpc and its handler. */
export function drscpRoutes(context: ServerContext): ServiceImpl<typeof DrscpService> {
  return {
    createBackup: createBackup(context),
    deleteBackup: deleteBackup(context),
    describeBackup: describeBackup(context),
    describeRestore: describeRestore(context),
    getLogs: getLogs(context),
    listBackupEntities: listBackupEntities(context),
    listBackups: listBackups(context),
    listRestores: listRestores(context),
    restoreBackup: restoreBackup(context),
  };
}
