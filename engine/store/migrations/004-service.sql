-- Who works with this database: the same service after each start, by which it knows what it holds in a cluster.
CREATE TABLE service (
  id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
INSERT INTO service (id) VALUES (lower(hex(randomblob(6))));
