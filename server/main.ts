import { rm } from "node:fs/promises";
import { CommanderError } from "commander";
import { type Logger, pino } from "pino";
import { openAuditLog } from "./audit/open-audit-log.ts";
import { readConfig, type ServerConfig } from "./config.ts";
import { serveMetrics } from "./metrics/metrics-server.ts";

/** What the SQLite module's binary needs: an older Node dies of it without a word. */
const oldestNode = [22, 19] as const;

function checkNode(version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return;
  process.stderr.write(
    `error: Node ${oldestNode.join(".")} or newer is needed, this is ${version}: use "npm start", which brings its own\n`,
  );
  process.exit(1);
}

function readConfigOrExit(): ServerConfig {
  try {
    return readConfig(process.argv.slice(2));
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode);
    throw error;
  }
}

async function run(config: ServerConfig): Promise<void> {
  const {
    listen,
    tls,
    pathPrefix,
    limits,
    maxBodyBytes,
    metricsListen,
    reflection,
    simulated,
    temporaryData,
    engine: settings,
  } = config;
  const log = pino({ level: config.logLevel });
  const audit = config.audit === undefined ? undefined : openAuditLog(config.audit, log);
  // Only now: these load the SQLite module, or a simulator that most processes do not need.
  const { createEngine } = await import("../engine/create-engine.ts");
  const { createServer } = await import("./server.ts");
  const { openCallers } = await import("./callers/open-callers.ts");
  const { CrashPoints } = await import("../engine/crash-points.ts");
  const simulator = simulated
    ? await (await import("../simulator/simulator.ts")).startSimulator({ sample: true })
    : undefined;
  const cluster = simulator ? { server: simulator.url } : settings.cluster;
  // Before the engine, whose jobs go on at once: a setting that is wrong should stop the process while it does nothing.
  const callers = await openCallers(config.callers, log, () => engine.access);
  const engine = await createEngine(
    { ...settings, cluster },
    { logger: log, crashPoints: new CrashPoints((point) => dieAt(point, config.crashAt, log)) },
  );
  const metrics = metricsListen && new (await import("./metrics/metrics.ts")).Metrics(engine);
  const server = await createServer(
    { engine, log, audit, callers, reflection, metrics },
    { listen, tls, pathPrefix, limits, maxBodyBytes },
  );
  const metricsServer = metrics && (await serveMetrics(metrics, metricsListen, log));
  const addresses = { cleartext: server.cleartext, tls: server.tls, metrics: metricsServer?.address };
  log.info({ ...addresses, simulator: simulator?.url }, "listening");

  const stop = async (signal: NodeJS.Signals) => {
    log.info({ signal }, "stopping");
    await server.close();
    await metricsServer?.close();
    callers?.close();
    await engine.close();
    await simulator?.close();
    if (temporaryData !== undefined) await rm(temporaryData, { recursive: true, force: true });
    log.info({}, "stopped");
  };
  let stopped: Promise<void> | undefined;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      // A second signal does not wait.
      if (stopped) process.exit(1);
      stopped = stop(signal).then(
        () => process.exit(0),
        (error: unknown) => {
          log.fatal({ err: error }, "stopping failed");
          process.exit(1);
        },
      );
    });
  }
}

/** What the crash tests start the service with: it dies at one point as if its power were cut. */
function dieAt(point: string, crashAt: string | undefined, log: Logger): void {
  log.trace({ point }, "crash point");
  if (point === crashAt) process.kill(process.pid, "SIGKILL");
}

/** Whatever is made holds secrets, or is beside them: files get mode 600 and folders 700. */
const ownerOnly = 0o077;

checkNode(process.versions.node);
process.umask(ownerOnly);
run(readConfigOrExit()).catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
