-- What the job was asked to do, as JSON, as it was settled when it was recorded; NULL for jobs of services from before.
ALTER TABLE job ADD COLUMN parameters TEXT;
