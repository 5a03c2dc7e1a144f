-- What restores at work have noted of how far they have come is in records of their own.
INSERT INTO note (job, key, value)
SELECT seq, 'checkpoint/PRE_VALIDATION/stage', json_object('stage', CASE
    WHEN EXISTS (SELECT 1 FROM note WHERE job = seq AND key = 'restored-all' AND value = 'true') THEN 'restored'
    WHEN EXISTS (SELECT 1 FROM note WHERE job = seq AND key = 'deleting' AND value = 'true') THEN 'deleting'
    WHEN EXISTS (SELECT 1 FROM note WHERE job = seq AND key = 'stored-versions' AND value = 'true') THEN 'stored'
    WHEN EXISTS (SELECT 1 FROM note WHERE job = seq AND key = 'touched' AND value = 'true') THEN 'touched'
    ELSE 'untouched' END)
FROM job WHERE kind = 'restore' AND state = 'IN_PROGRESS' AND phase <> 'PRE_VALIDATION';

INSERT INTO note (job, key, value)
SELECT job, 'checkpoint/GOING_BACK/cleared', '{"isCleared":true}' FROM note WHERE key = 'back/cleared' AND value = 'true';

-- Earlier services noted no more of what did not come up than that there was something.
INSERT INTO note (job, key, value)
SELECT up.job, 'checkpoint/GOING_BACK/put back', json_object(
    'ofClaims', json(coalesce(claims.value, '""')),
    'late', json(CASE WHEN up.value = 'true' THEN '[]'
      ELSE coalesce(late.value, '["applications have not come up: the log says which"]') END))
FROM note AS up
  LEFT JOIN note AS claims ON claims.job = up.job AND claims.key = 'back/claims'
  LEFT JOIN note AS late ON late.job = up.job AND late.key = 'back/late'
WHERE up.key = 'back/up';

INSERT INTO note (job, key, value)
SELECT job, 'checkpoint/GOING_BACK', json_object('isAsBefore', json(value)) FROM note WHERE key = 'back/done';

DELETE FROM note
WHERE key IN ('touched', 'stored-versions', 'deleting', 'restored-all', 'back/cleared', 'back/claims', 'back/up',
  'back/late', 'back/done');
