-- Following what is committed. Drawn in store/README.md.

-- Chunks of a writer that begin below this position may hold points of several commits: whoever has seen the log up
-- to a lower position cannot tell there what is new. Kept beside `writer`, whose rows ingest needs all the time.
CREATE TABLE merged_until (
    run_id    uuid   NOT NULL,
    writer_id uuid   NOT NULL,
    position  bigint NOT NULL,
    PRIMARY KEY (run_id, writer_id),
    FOREIGN KEY (run_id, writer_id) REFERENCES writer ON DELETE CASCADE
);
