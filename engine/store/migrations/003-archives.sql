-- The manifest that each archive has: of one that was written here, or as it was first found in the storage.
CREATE TABLE archive (
  folder TEXT PRIMARY KEY,
  sha256 TEXT NOT NULL,
  is_own INTEGER NOT NULL CHECK (is_own IN (0, 1))
) STRICT, WITHOUT ROWID;
