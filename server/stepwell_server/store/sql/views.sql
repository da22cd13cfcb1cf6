-- Queries of store/tracking/views.py.

-- lock: keeps others from saving views of the same experiments, whose number $1 stands for, until the transaction ends
/* single */ SELECT pg_advisory_xact_lock($1) /* distributed:
INSERT INTO named_lock AS held (lock_key) VALUES ($1)
ON CONFLICT (lock_key) DO UPDATE SET number = held.number */;

-- count: how many views some experiments have, without the one of the name $2
SELECT count(*) FROM saved_view WHERE experiment_ids = $1::bigint[] AND name <> $2;

-- add: keeps a view; no row when there is one of its name
INSERT INTO saved_view (experiment_ids, name, address, saved_time_ms)
VALUES ($1::bigint[], $2, $3, (extract(epoch FROM now()) * 1000)::bigint)
ON CONFLICT (experiment_ids, name) DO NOTHING
RETURNING *;

-- replace: overwrites a view; no row when there is none of the name
UPDATE saved_view
SET address = $3, saved_time_ms = (extract(epoch FROM now()) * 1000)::bigint
WHERE experiment_ids = $1::bigint[] AND name = $2
RETURNING *;

-- list: the views of some experiments, by name
SELECT * FROM saved_view WHERE experiment_ids = $1::bigint[] ORDER BY name COLLATE "C";

-- delete: removes a view; returns its number
DELETE FROM saved_view WHERE view_id = $1 RETURNING view_id;
