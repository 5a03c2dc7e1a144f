-- Lists of one name, or of one backup, in some of the states, newest first.
CREATE INDEX job_by_name_and_state ON job (kind, display_name, state, created_ms, seq);
CREATE INDEX job_by_backup_and_state ON job (backup_crn, kind, state, created_ms, seq);
