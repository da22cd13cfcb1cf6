-- latest_runs: the runs that started last, of some or (NULL) all experiments but $4, in given stages
SELECT run_id FROM run
WHERE ($1::bigint[] IS NULL OR experiment_id = ANY ($1)) AND experiment_id <> ALL ($4::bigint[])
  AND lifecycle_stage = ANY ($2::text[])
ORDER BY start_time_ms DESC, run_id
LIMIT $3;

-- params: keys of params of some runs, with how many of them have each; the most frequent first
SELECT key, count(*) AS runs FROM param
WHERE run_id = ANY ($1::uuid[]) AND ($2::text = '' OR key ~* $2)
GROUP BY key ORDER BY runs DESC, key LIMIT $3;

-- tags: the same of tags
SELECT key, count(*) AS runs FROM tag
WHERE run_id = ANY ($1::uuid[]) AND ($2::text = '' OR key ~* $2)
GROUP BY key ORDER BY runs DESC, key LIMIT $3;

-- metrics: the same of metrics; names are looked up once for each metric, and not for each run
SELECT metric.name AS key, found.runs
FROM (SELECT metric_id, count(*) AS runs FROM metric_latest WHERE run_id = ANY ($1::uuid[]) GROUP BY metric_id) AS found
JOIN metric USING (metric_id)
WHERE $2::text = '' OR metric.name ~* $2
ORDER BY found.runs DESC, metric.name LIMIT $3;
