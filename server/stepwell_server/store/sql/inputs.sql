-- Queries of store/inputs.py.

-- add_datasets: stores data sets that are new, in the order of their ids
INSERT INTO dataset (dataset_id, name, digest, source_type, source, schema, profile)
SELECT *
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
ORDER BY 1
ON CONFLICT (dataset_id) DO NOTHING;

-- add_inputs: notes that runs used data sets
INSERT INTO run_input AS noted (run_id, dataset_id, tags)
SELECT given.run_id, given.dataset_id, given.tags::jsonb
FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS given (run_id, dataset_id, tags)
ORDER BY given.run_id, given.dataset_id
ON CONFLICT (run_id, dataset_id) DO UPDATE SET tags = noted.tags || excluded.tags;

-- stage: whether a run is active or deleted; keeps it so until the end of the transaction
SELECT lifecycle_stage FROM run WHERE run_id = $1 FOR SHARE;

-- summaries: which data sets the active runs of the experiments $1 used, with the value of the tag $2
SELECT DISTINCT
    experiment_id, dataset.name COLLATE "C" AS name, digest COLLATE "C" AS digest, run_input.tags ->> $2 AS context
FROM run
JOIN run_input USING (run_id)
JOIN dataset USING (dataset_id)
WHERE experiment_id = ANY ($1::bigint[]) AND lifecycle_stage = 'active'
ORDER BY experiment_id, name, digest, context
LIMIT $3;

-- of_runs: the data sets of runs, in the order of $1; once they have more than $2 bytes, without what is large, and none
-- once what is small has more than a third of that
SELECT
    run_id, bytes <= $2 AS fits, name, digest, source_type, tags,
    CASE WHEN bytes <= $2 THEN source ELSE '' END AS source,
    CASE WHEN bytes <= $2 THEN schema ELSE '' END AS schema,
    CASE WHEN bytes <= $2 THEN profile ELSE '' END AS profile
FROM (
    SELECT
        run_id, place, dataset_id, name, digest, source_type, source, schema, profile, run_input.tags,
        sum(octet_length(concat(name, digest, source_type, run_input.tags::text))
            + octet_length(source) + octet_length(schema) + octet_length(profile)) OVER (
            ORDER BY place, name COLLATE "C", digest COLLATE "C", dataset_id
        ) AS bytes,
        sum(octet_length(concat(name, digest, source_type, run_input.tags::text)) + 40) OVER (
            ORDER BY place, name COLLATE "C", digest COLLATE "C", dataset_id
        ) AS small_bytes
    FROM unnest($1::uuid[]) WITH ORDINALITY AS wanted (run_id, place)
    JOIN run_input USING (run_id)
    JOIN dataset USING (dataset_id)
    /* distributed: WHERE run_input.run_id = ANY ($1::uuid[]) */
) AS sized
WHERE small_bytes <= $2 / 3
ORDER BY place, name COLLATE "C", digest COLLATE "C", dataset_id;
