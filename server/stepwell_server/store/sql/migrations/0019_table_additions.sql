-- Calls that have added rows to a table: a repeat, also by somebody else from a copy and years later, adds nothing.

CREATE TABLE table_addition (
    run_id  uuid NOT NULL REFERENCES run,
    call_id uuid NOT NULL,
    PRIMARY KEY (run_id, call_id)
);
