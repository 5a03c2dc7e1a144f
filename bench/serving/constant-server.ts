import { pino, stdTimeFunctions } from "pino";
import { createEngine } from "../../engine/create-engine.ts";
import type { Engine } from "../../engine/engine.ts";
import { readConfig } from "../../server/settings/config.ts";
import { createServer } from "../../server/server.ts";
import { openTlsMaterial } from "../../server/http/tls-material.ts";

/**
 * The service's own server in front of an engine that knows the answers already: what the service, started with the same
 * flags, would say about its newest backup, and the list of all its backups.
 */
const { listen, tls: files, limits, maxBodyBytes, logLevel, engine: settings } = readConfig(process.argv.slice(2));
const log = pino({ level: logLevel, timestamp: stdTimeFunctions.isoTime });
const tls = files && { address: files.address, material: await openTlsMaterial(files, log) };
const engine = await createEngine(settings);
const page = engine.listBackups({ backupName: "", jobStates: [], pageSize: 0, startingToken: "" });
const backup = engine.describeBackup(page.items[0]?.crn ?? "");
await engine.close();

const constant = { listBackups: () => page, describeBackup: () => backup, isHealthy: () => true };
const server = await createServer(
  { engine: constant as unknown as Engine, log },
  { listen, tls, limits, maxBodyBytes },
);
log.info({ cleartext: server.cleartext }, "listening");
