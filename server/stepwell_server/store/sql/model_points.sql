-- Queries of store/ingest/entries/model_points.py.

-- merge: the latest points of metrics that runs measured of models: those with the greatest (step, timestamp, value).
INSERT INTO logged_model_metric AS known (
    run_id, model_id, key, dataset_name, dataset_digest, step, timestamp_ms, value
)
SELECT *
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::double precision[])
    AS given (run_id, model_id, key, dataset_name, dataset_digest, step, timestamp_ms, value)
ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (run_id, model_id, key, dataset_name, dataset_digest) DO UPDATE SET
    step = excluded.step, timestamp_ms = excluded.timestamp_ms, value = excluded.value
WHERE (known.step, known.timestamp_ms, known.value) < (excluded.step, excluded.timestamp_ms, excluded.value);

-- add_inputs: notes that runs used models that they did not make themselves.
INSERT INTO model_input (run_id, model_id)
SELECT DISTINCT given.run_id, given.model_id
FROM unnest($1::uuid[], $2::uuid[]) AS given (run_id, model_id)
LEFT JOIN logged_model AS model USING (model_id)
LEFT JOIN model_output AS made
  ON made.run_id = given.run_id AND made.model_id = given.model_id
  /* distributed: AND made.run_id = ANY ($1::uuid[]) */
WHERE model.source_run_id IS DISTINCT FROM given.run_id AND made.run_id IS NULL
ORDER BY 1, 2
ON CONFLICT (run_id, model_id) DO NOTHING;
