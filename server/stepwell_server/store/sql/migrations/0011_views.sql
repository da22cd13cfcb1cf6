-- What a run logged, as plain rows for SQL tools. Described in docs/sql.md. Deleted runs are in none of these views.

CREATE VIEW runs AS
SELECT run.run_id,
       experiment.name AS experiment,
       run.name,
       CASE run.status WHEN 1 THEN 'RUNNING' WHEN 2 THEN 'SCHEDULED' WHEN 3 THEN 'FINISHED'
                       WHEN 4 THEN 'FAILED'  WHEN 5 THEN 'KILLED' END AS status,
       to_timestamp(run.start_time_ms / 1000.0) AS start_time,
       to_timestamp(run.end_time_ms / 1000.0)   AS end_time,
       run.user_name
FROM run
JOIN experiment USING (experiment_id)
WHERE run.lifecycle_stage = 'active';

CREATE VIEW run_params AS
SELECT param.run_id, param.key, param.value
FROM param JOIN run USING (run_id)
WHERE run.lifecycle_stage = 'active';

CREATE VIEW run_tags AS
SELECT tag.run_id, tag.key, tag.value
FROM tag JOIN run USING (run_id)
WHERE run.lifecycle_stage = 'active';

-- The point with the greatest (step, timestamp, value) of each metric, and the summary of all of its points.
CREATE VIEW run_metrics AS
SELECT latest.run_id,
       metric.name AS key,
       latest.step,
       latest.timestamp_ms,
       latest.value,
       latest.count,
       latest.non_finite_count,
       latest.value_min,
       latest.value_max,
       latest.value_sum / nullif(latest.count - latest.non_finite_count, 0) AS value_mean
FROM metric_latest AS latest
JOIN metric USING (metric_id)
JOIN run USING (run_id)
WHERE run.lifecycle_stage = 'active';
