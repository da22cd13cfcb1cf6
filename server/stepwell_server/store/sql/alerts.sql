-- Queries of store/ingest/entries/alerts.py and store/tracking/alerts.py.

-- lock_runs: keeps runs from being removed until the end, before the other lock is taken; in order, see `sql.by_run`
SELECT run_id
FROM run
WHERE /* single */ run_id = ANY ($1::uuid[]) ORDER BY run_id /* distributed: run_id = $1 */
FOR KEY SHARE;

-- take_numbers: the history's lock: it gives the numbers the order of the commits. Taken last. On one machine a sequence
-- gives them; else this returns the last one before those $2 that are taken.
/* single */ WITH locked AS MATERIALIZED (SELECT pg_advisory_xact_lock($1))
SELECT NULL::bigint FROM locked WHERE $2::bigint > 0 /* distributed:
UPDATE named_lock SET number = number + $2 WHERE lock_key = $1 RETURNING number - $2 */;

-- add: alerts, of each run at most $7; returns which of them, counted from 1. In the other form their numbers follow $8.
WITH given AS (
    SELECT *, row_number() OVER (PARTITION BY run_id ORDER BY place) AS place_of_run
    FROM unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::text[], $5::text[], $6::boolean[])
        WITH ORDINALITY AS given (run_id, time_ms, level, title, text, imported, place)
), there AS (
    SELECT run_id, count(*) AS alerts
    FROM alert
    WHERE run_id = ANY ($1::uuid[])
    GROUP BY run_id
), fitting AS (
    SELECT given.*
    FROM given
    LEFT JOIN there ON there.run_id = given.run_id
    WHERE place_of_run + coalesce(alerts, 0) <= $7
), added AS (
    INSERT INTO alert (run_id, alert_number, time_ms, level, title, text, imported)
    SELECT run_id,
           /* single */ nextval('registry_change_change_number_seq') /* distributed: $8::bigint + place */,
           time_ms, level, title, text, imported
    FROM fitting
    ORDER BY place
)
SELECT place FROM fitting;

-- list: the latest $5 before the number $3 (0: of all), of active runs: of one ($1),
-- of experiments ($2; NULL: all) but $6, from a level on
SELECT alert.alert_number AS number, alert.run_id, run.name AS run_name, run.experiment_id,
       experiment.name AS experiment_name, alert.title, alert.text, alert.level, alert.time_ms
FROM alert
JOIN run ON run.run_id = alert.run_id
JOIN experiment ON experiment.experiment_id = run.experiment_id
WHERE ($1::uuid IS NULL OR alert.run_id = $1)
  AND ($2::bigint[] IS NULL OR run.experiment_id = ANY ($2)) AND run.experiment_id <> ALL ($6::bigint[])
  AND ($3::bigint = 0 OR alert.alert_number < $3)
  AND alert.level >= $4
  AND run.lifecycle_stage = 'active'
ORDER BY alert.alert_number DESC
LIMIT $5;

-- get: one alert, of whatever run
SELECT alert.alert_number AS number, alert.run_id, run.name AS run_name, run.experiment_id,
       experiment.name AS experiment_name, alert.title, alert.text, alert.level, alert.time_ms
FROM alert
JOIN run ON run.run_id = alert.run_id
JOIN experiment ON experiment.experiment_id = run.experiment_id
WHERE alert.run_id = $1 AND alert.alert_number = $2;
