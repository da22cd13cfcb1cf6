-- Models: each has an id of its own, files, params, tags and metrics. Drawn in store/README.md.

CREATE TABLE logged_model (
    model_id            uuid     PRIMARY KEY,      -- shown as m-<32 hexadecimal digits>
    experiment_id       bigint   NOT NULL REFERENCES experiment,
    name                text     NOT NULL,
    model_type          text     NOT NULL,
    source_run_id       uuid,                      -- the run that logged it, which may be gone; NULL for none
    status              smallint NOT NULL CHECK (status BETWEEN 1 AND 3),
    status_message      text     NOT NULL,
    creation_time_ms    bigint   NOT NULL,
    last_update_time_ms bigint   NOT NULL,
    artifact_uri        text     NOT NULL,
    lifecycle_stage     text     NOT NULL DEFAULT 'active' CHECK (lifecycle_stage IN ('active', 'deleted')),
    deleted_time_ms     bigint,
    removal_began       boolean  NOT NULL DEFAULT false   -- its files go for good; it cannot be restored
);
CREATE INDEX logged_model_by_experiment ON logged_model (experiment_id, creation_time_ms DESC, model_id);
CREATE INDEX logged_model_by_run ON logged_model (source_run_id, name, creation_time_ms DESC, model_id);

CREATE TABLE logged_model_param (
    model_id uuid NOT NULL REFERENCES logged_model,
    key      text NOT NULL,
    value    text NOT NULL,
    PRIMARY KEY (model_id, key)
);

CREATE TABLE logged_model_tag (
    model_id uuid NOT NULL REFERENCES logged_model,
    key      text NOT NULL,
    value    text NOT NULL,
    PRIMARY KEY (model_id, key)
);

-- What a run measured of a model, on a data set or none (both texts empty): the latest point of each metric. All points
-- are in the run's history. The model may arrive later than what was measured of it.
CREATE TABLE logged_model_metric (
    run_id         uuid   NOT NULL REFERENCES run,
    model_id       uuid   NOT NULL,
    key            text   NOT NULL,
    dataset_name   text   NOT NULL,
    dataset_digest text   NOT NULL,
    step           bigint NOT NULL,
    timestamp_ms   bigint NOT NULL,
    value          double precision NOT NULL,
    PRIMARY KEY (run_id, model_id, key, dataset_name, dataset_digest)
);
CREATE INDEX logged_model_metric_by_model ON logged_model_metric (model_id, key);

-- Models that a run made, each at a step, and models that it used.
CREATE TABLE model_output (
    run_id   uuid   NOT NULL REFERENCES run,
    model_id uuid   NOT NULL REFERENCES logged_model,
    step     bigint NOT NULL,
    PRIMARY KEY (run_id, model_id)
);
CREATE INDEX model_output_by_model ON model_output (model_id);
CREATE TABLE model_input (
    run_id   uuid NOT NULL REFERENCES run,
    model_id uuid NOT NULL,
    PRIMARY KEY (run_id, model_id)
);
CREATE INDEX model_input_by_model ON model_input (model_id);

-- The run_id of an artifact, and of an upload, is that of a run or of a logged model: which one is there is looked up, and
-- kept there, by the statements that add rows.
ALTER TABLE artifact DROP CONSTRAINT artifact_run_id_fkey;
ALTER TABLE artifact_upload DROP CONSTRAINT artifact_upload_run_id_fkey;
-- A file that a run shows because a model of it has it: of which model.
ALTER TABLE artifact ADD COLUMN linked_model_id uuid;
