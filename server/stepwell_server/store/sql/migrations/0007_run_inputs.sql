-- Data sets that runs used. What a data set is called and looks like is stored once for all runs.

CREATE TABLE dataset (
    dataset_id  uuid PRIMARY KEY,    -- made of the other columns: equal data sets have equal ids
    name        text NOT NULL,
    digest      text NOT NULL,
    source_type text NOT NULL,
    source      text NOT NULL,
    schema      text NOT NULL,
    profile     text NOT NULL
);

CREATE TABLE run_input (
    run_id     uuid  NOT NULL REFERENCES run,
    dataset_id uuid  NOT NULL REFERENCES dataset,
    tags       jsonb NOT NULL,
    PRIMARY KEY (run_id, dataset_id)
);
