-- Leases of writers: who is believed to live, so that runs whose writers all vanished can be found.
-- A writer that left in order has none. A table of its own, because it is small and changes all the time.

CREATE TABLE writer_lease (
    run_id       uuid   NOT NULL,
    writer_id    uuid   NOT NULL,
    until_ms     bigint NOT NULL,  -- by the database's clock; unless renewed, the writer counts as gone from then on
    seen_time_ms bigint,           -- last sign of life of its own process; NULL when only others delivered its log
    PRIMARY KEY (run_id, writer_id),
    FOREIGN KEY (run_id, writer_id) REFERENCES writer ON DELETE CASCADE
) WITH (fillfactor = 50);
