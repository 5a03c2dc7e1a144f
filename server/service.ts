import { rm } from "node:fs/promises";
import { CommanderError } from "commander";
import { type Logger, pino, stdTimeFunctions } from "pino";
import { Closers } from "../engine/closers.ts";
import type { CrashPoints } from "../engine/crash-points.ts";
import { codedMessage, idOf } from "../engine/errors.ts";
import packageJson from "../package.json" with { type: "json" };
import { openAuditLog } from "./audit/open-audit-log.ts";
import { describeCallers, describeRights } from "./callers/options.ts";
import { readConfig, type ServerConfig } from "./settings/config.ts";
import { serveMetrics } from "./metrics/metrics-server.ts";

/** The Node that the SQLite module's binary needs: an older one crashes on it without a message. */
const oldestNode = [22, 19] as const;

function checkNode(version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return;
  process.stderr.write(
    `error: Node ${oldestNode.join(".")} or newer is needed, this is ${version}: use "npm start", which brings its own\n`,
  );
  process.exit(1);
}

function readConfigOrExit(args: readonly string[]): ServerConfig {
  try {
    return readConfig(args);
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode);
    throw error;
  }
}

async function run(config: ServerConfig, crashPoints: CrashPoints | undefined): Promise<void> {
  const log = pino({ level: config.logLevel, timestamp: stdTimeFunctions.isoTime, formatters: { log: withCode } });
  const opened = new Closers(log);
  try {
    await start(config, log, opened, crashPoints);
  } catch (error) {
    await opened.close().catch(() => {}); // logged
    throw error;
  }
  let stopped: Promise<void> | undefined;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      // A second signal does not wait.
      if (stopped) process.exit(1);
      log.info({ signal }, "stopping");
      stopped = opened.close().then(
        () => {
          log.info({}, "stopped");
          process.exit(0);
        },
        (error: unknown) => {
          log.fatal({ err: error }, "stopping failed");
          process.exit(1);
        },
      );
    });
  }
}

async function start(
  config: ServerConfig,
  log: Logger,
  opened: Closers,
  crashPoints: CrashPoints | undefined,
): Promise<void> {
  const { listen, pathPrefix, limits, maxBodyBytes, reflection, simulated, temporaryData, engine: settings } = config;
  const { metricsListen } = config;
  const audit = config.audit === undefined ? undefined : openAuditLog(config.audit, log);
  // Only now: these load the SQLite module, or a simulator that most processes do not need.
  const { createEngine } = await import("../engine/create-engine.ts");
  const { createServer } = await import("./server.ts");
  const { openTlsMaterial } = await import("./http/tls-material.ts");
  const { openCallers } = await import("./callers/open-callers.ts");
  if (temporaryData !== undefined) opened.onClose(() => rm(temporaryData, { recursive: true, force: true }));
  const simulator = simulated
    ? await (await import("../simulator/simulator.ts")).startSimulator({ sample: true })
    : undefined;
  opened.onClose(() => simulator?.close());
  const cluster = simulator ? { server: simulator.url } : settings.cluster;
  // Before the engine, whose jobs go on at once: a setting that is wrong should stop the process while it does nothing.
  const tls = config.tls && {
    address: config.tls.address,
    material: await openTlsMaterial(config.tls, log),
  };
  const callers = await openCallers(config.callers, log, () => engine.auth);
  opened.onClose(() => callers?.close());
  const engine = await createEngine({ ...settings, cluster }, { logger: log, ...(crashPoints && { crashPoints }) });
  // Also when the port is taken: jobs that are left in good order have not died.
  opened.onClose(() => engine.close());
  const metrics = metricsListen && new (await import("./metrics/metrics.ts")).Metrics(engine);
  const metricsServer = metrics && (await serveMetrics(metrics, metricsListen, log));
  opened.onClose(() => metricsServer?.close());
  const server = await createServer(
    { engine, log, audit, callers, reflection, metrics },
    { listen, tls, pathPrefix, limits, maxBodyBytes },
  );
  opened.onClose(() => server.close());
  const { version } = packageJson;
  const known = { callers: describeCallers(config.callers), rights: describeRights(config.callers.rights) };
  const addresses = { cleartext: server.cleartext, tls: server.tls, metrics: metricsServer?.address };
  log.info({ version, ...addresses, ...known, simulator: simulator?.url }, "listening");
}

/** The message code of the error that a line of the log has, if the line has none of its own. */
function withCode(fields: Record<string, unknown>): Record<string, unknown> {
  const code = idOf(fields["err"]);
  return code === undefined ? fields : { code, ...fields };
}

/** Whatever is made holds secrets, or is beside them: files get mode 600 and folders 700. */
const ownerOnly = 0o077;

/**
 * Runs the service in this process, as its arguments say, until a signal ends it. An error that keeps it from starting is written to standard error, and
 * the process exits with 1. Tests give crash points of their own.
 */
export function runService(args: readonly string[], crashPoints?: CrashPoints): void {
  checkNode(process.versions.node);
  process.umask(ownerOnly);
  run(readConfigOrExit(args), crashPoints).catch((error: unknown) => {
    process.stderr.write(`error: ${codedMessage(error)}\n`);
    process.exit(1);
  });
}
