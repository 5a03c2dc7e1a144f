-- What a phase hands to later ones is one record, and no longer several notes: those of recorded jobs are put together.
-- Earlier services did not note the classes and what was unavailable.
INSERT INTO note (job, key, value)
SELECT seq, 'checkpoint/PRE_VALIDATION', json_object(
    'kubernetesVersion', json(version.value),
    'namespaces', json(namespaces.value),
    'claims', json(claims.value),
    'classes', json(coalesce(classes.value, '[]')))
FROM job
  JOIN note AS version ON version.job = seq AND version.key = 'kubernetes-version'
  JOIN note AS namespaces ON namespaces.job = seq AND namespaces.key = 'namespaces'
  JOIN note AS claims ON claims.job = seq AND claims.key = 'claims'
  LEFT JOIN note AS classes ON classes.job = seq AND classes.key = 'classes'
WHERE kind = 'backup';

INSERT INTO note (job, key, value)
SELECT seq, 'checkpoint/SAVING_OBJECTS', json_object(
    'parts', json(parts.value),
    'unavailable', json(coalesce(unavailable.value, '[]')))
FROM job
  JOIN note AS parts ON parts.job = seq AND parts.key = 'parts'
  LEFT JOIN note AS unavailable ON unavailable.job = seq AND unavailable.key = 'unavailable'
WHERE kind = 'backup';

INSERT INTO note (job, key, value)
SELECT job, 'checkpoint/CREATING_SNAPSHOTS', '{"areCut":true}' FROM note WHERE key = 'cut' AND value = 'true';

INSERT INTO note (job, key, value)
SELECT seq, 'checkpoint/PRE_VALIDATION', json_object('unavailable', json(coalesce(unavailable.value, '[]')))
FROM job LEFT JOIN note AS unavailable ON unavailable.job = seq AND unavailable.key = 'unavailable'
WHERE kind = 'restore' AND state = 'IN_PROGRESS' AND phase <> 'PRE_VALIDATION';

DELETE FROM note
WHERE key IN ('kubernetes-version', 'namespaces', 'claims', 'classes', 'parts', 'unavailable', 'cut');

-- Kept volumes had no slash at the end. Where a volume was noted in both ways, the first note has its own policy.
UPDATE OR REPLACE note SET key = key || '/' WHERE key GLOB 'kept/*' AND key NOT GLOB '*/';
