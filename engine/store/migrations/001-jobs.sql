-- Backups, restores and deletions. `seq` is the order of arrival. Times are milliseconds since 1970.
CREATE TABLE job (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  crn TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('backup', 'restore', 'deletion')),
  name TEXT NOT NULL UNIQUE,
  -- What a backup is called, and what its caller asked it to be called.
  display_name TEXT NOT NULL,
  requested_name TEXT NOT NULL,
  -- The backup that is made, restored or deleted. It may be gone: a deletion outlives it.
  backup_crn TEXT NOT NULL,
  entity TEXT NOT NULL,
  item_name TEXT NOT NULL,
  state TEXT NOT NULL
    CHECK (state IN ('NOT_STARTED', 'IN_PROGRESS', 'COMPLETED', 'PARTIALLY_FAILED', 'FAILED', 'TERMINATING')),
  phase TEXT NOT NULL,
  -- What of the job is running: the phase, the clean-up after the last one, or the clean-up after a failure.
  step TEXT NOT NULL DEFAULT 'PHASE' CHECK (step IN ('PHASE', 'FINISH', 'FAIL')),
  included_namespaces TEXT NOT NULL,
  caller_name TEXT NOT NULL,
  request_id TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  -- How often in a row a start found the job running this step, and whether a shutdown in good order left it so.
  recoveries INTEGER NOT NULL DEFAULT 0,
  parked INTEGER NOT NULL DEFAULT 0 CHECK (parked IN (0, 1))
) STRICT;

-- The queue.
CREATE INDEX job_by_state ON job (state, seq);
-- Lists, newest first.
CREATE INDEX job_by_age ON job (kind, created_ms, seq);
CREATE INDEX job_by_state_and_age ON job (kind, state, created_ms, seq);
CREATE INDEX job_by_name ON job (kind, display_name, created_ms, seq);
CREATE INDEX job_by_backup ON job (backup_crn, kind, created_ms, seq);
-- A client's retries.
CREATE INDEX job_by_request ON job (caller_name, request_id) WHERE request_id <> '';

CREATE TABLE message (
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
  level TEXT NOT NULL CHECK (level IN ('warning', 'error')),
  namespace TEXT NOT NULL,
  text TEXT NOT NULL,
  time_ms INTEGER NOT NULL,
  UNIQUE (job, level, namespace, text)
) STRICT;

CREATE TABLE log_line (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  job INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
  time_ms INTEGER NOT NULL,
  level TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
  phase TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;

CREATE INDEX log_line_by_job ON log_line (job, id);

CREATE TABLE note (
  job INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (job, key)
) STRICT, WITHOUT ROWID;
