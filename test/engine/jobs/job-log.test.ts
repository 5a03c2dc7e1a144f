import { expect, test } from "vitest";
import { maxLogBytes, renderLog } from "../../../engine/jobs/job-log.ts";
import { newBackup, temporaryStore } from "../store/temporary-store.ts";

const time = new Date("2026-11-23T20:00:00.123Z");

test("a log is one line an event: time, level, phase, text", () => {
  const { jobs, logs } = temporaryStore();
  const { seq } = jobs.insert(newBackup(1));
  const other = jobs.insert(newBackup(2));
  logs.add(seq, { time, level: "info", phase: "SAVING_OBJECTS", text: "saved 12 kinds" });
  logs.add(other.seq, { time, level: "info", phase: "SAVING_OBJECTS", text: "another job's" });
  logs.add(seq, { time, level: "warning", phase: "SAVING_OBJECTS", text: "first\nsecond\u001B[31m\r" });
  logs.add(seq, { time, level: "error", phase: "FINISHED", text: "ünïcode stays" });
  expect(renderLog(logs, seq)).toBe(
    "2026-11-23T20:00:00.123Z INFO  SAVING_OBJECTS saved 12 kinds\n" +
      "2026-11-23T20:00:00.123Z WARN  SAVING_OBJECTS first\\nsecond\\u001b[31m\\u000d\n" +
      "2026-11-23T20:00:00.123Z ERROR FINISHED ünïcode stays\n",
  );
});

test("a long log keeps its newest lines, stays within 3 MiB of UTF-8, and says how many are missing", () => {
  const { database, jobs, logs } = temporaryStore();
  const { seq } = jobs.insert(newBackup(1));
  const count = 3_000;
  database.transaction(() => {
    for (let number = 1; number <= count; number += 1) {
      logs.add(seq, { time, level: "info", phase: "SAVING_OBJECTS", text: `${number} ${"ü".repeat(1_000)}` });
    }
  });
  const log = renderLog(logs, seq);
  const lines = log.trimEnd().split("\n");
  expect(Buffer.byteLength(log)).toBeLessThanOrEqual(maxLogBytes);
  expect(Buffer.byteLength(log)).toBeGreaterThan(maxLogBytes - 4_096);
  expect(lines[0]).toBe(`(${count - lines.length + 1} older lines are not shown)`);
  expect(lines[1]).toContain(`SAVING_OBJECTS ${count - lines.length + 2} ü`);
  expect(lines.at(-1)).toContain(`SAVING_OBJECTS ${count} ü`);
});
