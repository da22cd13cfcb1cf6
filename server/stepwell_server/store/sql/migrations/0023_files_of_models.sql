-- Whether a file of a run is one of a logged model that is found by its name: a single word, as clients of MLflow 3 name
-- them. What MLflow 2 logged to a deeper folder is found by its path alone.
CREATE FUNCTION is_of_model(linked_model_id uuid) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT linked_model_id IS NOT NULL AND EXISTS (
        SELECT FROM logged_model WHERE model_id = linked_model_id AND strpos(name, '/') = 0
    )
$$;
