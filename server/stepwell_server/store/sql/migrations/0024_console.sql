-- What processes wrote to their consoles, in pieces of some lines, where runs capture it.

CREATE TABLE console_piece (
    run_id       uuid     NOT NULL,
    writer_id    uuid     NOT NULL,
    position     bigint   NOT NULL,                        -- in the writer's log
    stream       smallint NOT NULL CHECK (stream IN (1, 2)),  -- output, error
    time_ms      bigint   NOT NULL,                        -- when the first line was written
    lines_left_out bigint NOT NULL,                        -- so many lines before these were too many
    text         text     NOT NULL,                        -- at most 64 KiB
    PRIMARY KEY (run_id, writer_id, position),
    FOREIGN KEY (run_id, writer_id) REFERENCES writer ON DELETE CASCADE
);
CREATE INDEX console_piece_by_time ON console_piece (run_id, time_ms, writer_id, position);
