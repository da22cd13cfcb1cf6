-- What was refused of runs, by kind, so that whoever looks at a run sees what is missing, and why.

CREATE TABLE refusal (
    run_id        uuid   NOT NULL,
    writer_id     uuid   NOT NULL,
    key           text   NOT NULL,   -- of the metric, param or tag; empty for a whole batch
    error_code    text   NOT NULL,   -- with the key, both empty: kinds that were too many to tell apart
    count         bigint NOT NULL,   -- of points and entries
    reason        text   NOT NULL,   -- the last one
    first_time_ms bigint NOT NULL,
    last_time_ms  bigint NOT NULL,
    PRIMARY KEY (run_id, writer_id, key, error_code),
    FOREIGN KEY (run_id, writer_id) REFERENCES writer ON DELETE CASCADE
);
