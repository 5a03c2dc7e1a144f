-- Who cancelled the job; NULL when nobody did.
ALTER TABLE job ADD COLUMN cancelled_by TEXT;
