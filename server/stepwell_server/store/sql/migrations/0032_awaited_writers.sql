-- Processes that said, when they created a run, that they would open a stream, and have not yet: when they never come, the
-- run is lost. A table of its own, because a row lives for milliseconds.

CREATE TABLE awaited_writer (
    run_id       uuid   PRIMARY KEY REFERENCES run ON DELETE CASCADE,
    host         text   NOT NULL,
    process_id   bigint NOT NULL,
    rank         integer,
    said_time_ms bigint NOT NULL,  -- by the database's clock, as all times here
    until_ms     bigint NOT NULL   -- from then on it counts as gone
) WITH (fillfactor = 50);
