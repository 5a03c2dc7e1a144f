-- Who asked for the job; all that was recorded before came from callers of the API.
ALTER TABLE job ADD COLUMN origin TEXT NOT NULL DEFAULT 'caller'
  CHECK (origin IN ('caller', 'policy', 'custom-resource'));
