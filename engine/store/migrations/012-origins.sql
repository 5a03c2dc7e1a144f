-- The service itself asks for jobs, too; who does is the program's to know, and not listed any more.
CREATE TABLE job_of_any_origin (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  crn TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  name TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL,
  requested_name TEXT NOT NULL,
  backup_crn TEXT NOT NULL,
  entity TEXT NOT NULL,
  item_name TEXT NOT NULL,
  state TEXT NOT NULL
    CHECK (state IN ('NOT_STARTED', 'IN_PROGRESS', 'COMPLETED', 'PARTIALLY_FAILED', 'FAILED', 'TERMINATING')),
  phase TEXT NOT NULL,
  step TEXT NOT NULL DEFAULT 'PHASE' CHECK (step IN ('PHASE', 'FINISH', 'FAIL')),
  included_namespaces TEXT NOT NULL,
  caller_name TEXT NOT NULL,
  request_id TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  recoveries INTEGER NOT NULL DEFAULT 0,
  -- Whether nothing runs it, and that in good order: the service was shut down, or the job stands aside for a restore.
  parked INTEGER NOT NULL DEFAULT 0 CHECK (parked IN (0, 1)),
  parameters TEXT,
  origin TEXT NOT NULL DEFAULT 'caller',
  cancelled_by TEXT
) STRICT;
INSERT INTO job_of_any_origin SELECT * FROM job;
-- The numbers of removed jobs are not given again.
DELETE FROM sqlite_sequence WHERE name = 'job_of_any_origin';
INSERT INTO sqlite_sequence (name, seq) SELECT 'job_of_any_origin', seq FROM sqlite_sequence WHERE name = 'job';
DROP TABLE job;
ALTER TABLE job_of_any_origin RENAME TO job;

CREATE INDEX job_by_state ON job (state, seq);
CREATE INDEX job_by_age ON job (kind, created_ms, seq);
CREATE INDEX job_by_state_and_age ON job (kind, state, created_ms, seq);
CREATE INDEX job_by_name ON job (kind, display_name, created_ms, seq);
CREATE INDEX job_by_backup ON job (backup_crn, kind, created_ms, seq);
CREATE INDEX job_by_request ON job (caller_name, request_id) WHERE request_id <> '';
CREATE INDEX job_by_name_and_state ON job (kind, display_name, state, created_ms, seq);
CREATE INDEX job_by_backup_and_state ON job (backup_crn, kind, state, created_ms, seq);
