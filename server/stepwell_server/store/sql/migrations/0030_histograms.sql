-- How values were distributed, step by step.

CREATE TABLE histogram (
    run_id     uuid               NOT NULL,
    writer_id  uuid               NOT NULL,
    position   bigint             NOT NULL,  -- in the writer's log
    key        text               NOT NULL,
    step       bigint             NOT NULL,
    time_ms    bigint             NOT NULL,
    edges      double precision[] NOT NULL,  -- two ends of bins of equal width, or all ends
    counts     bigint[]           NOT NULL,  -- one a bin, at most 512
    not_finite bigint             NOT NULL,  -- values that are in no bin
    PRIMARY KEY (run_id, key, step, writer_id, position),
    FOREIGN KEY (run_id, writer_id) REFERENCES writer ON DELETE CASCADE
);
