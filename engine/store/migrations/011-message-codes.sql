-- What docs/operations.md explains a message under. Those of earlier versions have none.
ALTER TABLE message ADD COLUMN code TEXT;
ALTER TABLE log_line ADD COLUMN code TEXT;
