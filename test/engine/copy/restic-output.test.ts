import { expect, test } from "vitest";
import { checkIn, failureOf, progressIn, summaryIn } from "../../../engine/copy/movers/restic-output.ts";

/* As restic 0.18.1 writes it. */
const status =
  '{"message_type":"status","seconds_elapsed":1,"percent_done":0.49,"total_files":2,"files_done":1,"total_bytes":30000000,"bytes_done":14718956,"current_files":["/data/a"]}';
const summary =
  '{"message_type":"summary","files_new":1,"files_changed":0,"files_unmodified":0,"dirs_new":1,"dirs_changed":0,"dirs_unmodified":0,"data_blobs":21,"tree_blobs":2,"data_added":30002049,"data_added_packed":30003824,"total_files_processed":1,"total_bytes_processed":30000000,"total_duration":1.179457359,"backup_start":"2026-11-30T10:43:02.651194225Z","backup_end":"2026-11-30T10:43:03.830651594Z","snapshot_id":"2fcb6b603ebb8dd73779225bd93c364de0ec33bfe93d58c0b081b8ec120c4faf"}';

test("progress and summary are read from restic's lines, also where one is cut off", () => {
  const lines = ['"bytes_done":1}', status, summary, '{"message_type":"sta'];
  expect(progressIn(lines)).toEqual({ bytes: 14_718_956, totalBytes: 30_000_000, files: 1, totalFiles: 2 });
  expect(summaryIn(lines)).toEqual({
    snapshotId: "2fcb6b603ebb8dd73779225bd93c364de0ec33bfe93d58c0b081b8ec120c4faf",
    bytes: 30_000_000,
    files: 1,
    addedBytes: 30_003_824,
  });
  expect([progressIn([]), summaryIn([status])]).toEqual([undefined, undefined]);
});

test.each([
  [
    12,
    ['{"message_type":"exit_error","code":12,"message":"Fatal: wrong password or no key found"}'],
    "none of the service's encryption keys opens the repository: add the key that it was made with to --encryption-keys (wrong password or no key found)",
  ],
  [
    10,
    [
      '{"message_type":"exit_error","code":10,"message":"Fatal: repository does not exist: unable to open config file\\nIs there a repository at the following location?\\ns3:x"}',
    ],
    /^there is no repository: see --copies-repository.*\(repository does not exist: unable to open config file Is there/,
  ],
  [
    3,
    [
      '{"message_type":"error","error":{"message":"open /volumes/cdp/x/a: permission denied"},"during":"archival","item":"/volumes/cdp/x/a"}',
      summary,
      '{"message_type":"exit_error","code":3,"message":"Warning: at least one source file could not be read"}',
    ],
    "some of its files could not be read (/volumes/cdp/x/a)",
  ],
  [127, ["sh: restic: not found"], "restic ended with exit code 127 (sh: restic: not found)"],
  [1, [], "restic ended with exit code 1"],
])("exit code %i of restic is reported with what to do, and in its own words", (code, lines, expected) => {
  expect(failureOf(code, lines)).toMatch(expected);
});

test("what a look at copies has found is known by their snapshots, and nothing when its last line is missing", () => {
  const fault = '{"message_type":"fault","snapshot":"0a1b","message":"Fatal: cannot dump file:  damaged "}';
  const end = '{"message_type":"checked","faults":1}';
  expect(checkIn([fault, end])).toEqual({ faults: 1, bySnapshot: new Map([["0a1b", "cannot dump file: damaged"]]) });
  expect(checkIn([fault])).toBe(undefined);
});
