-- Queries of store/tracking/exploring.py.

-- kin: of runs $1, the runs that they were started in (tag $2), and how many of stages $3 were started in them; of runs
-- in experiments $6 (NULL: all) but $7, others are not there. Runs of several machines are looked at generation by generation.
/* single */ WITH RECURSIVE up AS (
    SELECT place, given.run_id, given.run_id AS at, ARRAY[]::uuid[] AS ancestors
    FROM unnest($1::uuid[]) WITH ORDINALITY AS given (run_id, place)
    JOIN run USING (run_id)
    UNION ALL
    SELECT up.place, up.run_id, parent.run_id, up.ancestors || parent.run_id
    FROM up
    CROSS JOIN LATERAL (
        SELECT CASE WHEN value ~ '^[0-9a-f]{32}$' THEN value::uuid END AS parent_id
        FROM tag
        WHERE tag.run_id = up.at AND tag.key = $2
        OFFSET 0
    ) AS named
    JOIN run AS parent ON parent.run_id = named.parent_id
    WHERE cardinality(up.ancestors) < $4 AND parent.run_id <> ALL (up.ancestors || up.run_id)
        AND ($6::bigint[] IS NULL OR parent.experiment_id = ANY ($6)) AND parent.experiment_id <> ALL ($7::bigint[])
), line AS (
    SELECT DISTINCT ON (place) place, run_id, ancestors FROM up ORDER BY place, cardinality(ancestors) DESC
)
SELECT line.run_id, line.ancestors, counted.children
FROM line
CROSS JOIN LATERAL (
    SELECT count(*) AS children
    FROM (
        SELECT
        FROM tag
        JOIN run USING (run_id)
        WHERE tag.key = $2 AND tag.value COLLATE "C" = encode(uuid_send(line.run_id), 'hex')
            AND length(tag.value) <= 200 AND run.lifecycle_stage = ANY ($3::text[])
            AND ($6::bigint[] IS NULL OR run.experiment_id = ANY ($6)) AND run.experiment_id <> ALL ($7::bigint[])
        LIMIT $5
    ) AS child
) AS counted
ORDER BY line.place /* distributed: */;

-- known: of runs $1 those that are there, in experiments $2 (NULL: all) but $3
SELECT run_id
FROM run
WHERE run_id = ANY ($1::uuid[])
  AND ($2::bigint[] IS NULL OR experiment_id = ANY ($2)) AND experiment_id <> ALL ($3::bigint[]);

-- parents: the runs that runs $1 were started in, as their tags $2 say
SELECT run_id, value::uuid AS parent_id
FROM tag
WHERE run_id = ANY ($1::uuid[]) AND key = $2 AND value ~ '^[0-9a-f]{32}$';

-- children: how many runs of stages $3, in experiments $4 (NULL: all) but $5, have each of the values $2 in their tag $1
SELECT tag.value, count(*) AS children
FROM tag
JOIN run ON run.run_id = tag.run_id
WHERE tag.key = $1 AND tag.value COLLATE "C" = ANY ($2::text[]) AND length(tag.value) <= 200
  AND run.lifecycle_stage = ANY ($3::text[])
  AND ($4::bigint[] IS NULL OR run.experiment_id = ANY ($4)) AND run.experiment_id <> ALL ($5::bigint[])
GROUP BY tag.value;

-- now: what time it is, in milliseconds
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint;

-- changes: runs of experiments $1, or (NULL) of all but $4, that changed since $2, the first change first; at most $3
SELECT run_id, changed_time_ms
FROM run
WHERE ($1::bigint[] IS NULL OR experiment_id = ANY ($1)) AND experiment_id <> ALL ($4::bigint[])
  AND changed_time_ms >= $2
ORDER BY changed_time_ms, run_id
LIMIT $3;

-- summaries: how many active runs experiments $1 have, how many of these run (status $2), and when one changed last
SELECT experiment_id, coalesce(counted.runs, 0) AS runs, coalesce(counted.running, 0) AS running,
       coalesce(counted.last_change_ms, 0) AS last_change_ms
FROM experiment
LEFT JOIN (
    SELECT experiment_id,
           count(*) FILTER (WHERE lifecycle_stage = 'active') AS runs,
           count(*) FILTER (WHERE lifecycle_stage = 'active' AND status = $2) AS running,
           max(changed_time_ms) AS last_change_ms
    FROM run
    WHERE experiment_id = ANY ($1::bigint[])
    GROUP BY experiment_id
) AS counted USING (experiment_id)
WHERE experiment_id = ANY ($1::bigint[])
ORDER BY experiment_id;
