-- Locks and numbers of a database of several machines. PostgreSQL's own hold on the machine only that gives them: there,
-- who locks takes a row, and the numbers of the history and of alerts are counted in one. On one machine nothing uses them.

CREATE TABLE named_lock (
    lock_key bigint PRIMARY KEY,
    number   bigint NOT NULL DEFAULT 0  -- the last one that was given
);
-- The history's: `registry` in bytes, as entries/alerts.py has it.
INSERT INTO named_lock (lock_key, number)
SELECT 8243108395577799289, last_value FROM registry_change_change_number_seq;
-- place: named_lock

-- Of the artifacts of a run or a logged model; a row stays as long as the run.
CREATE TABLE artifact_lock (
    run_id uuid    PRIMARY KEY,
    taken  boolean NOT NULL DEFAULT true
);
-- place: artifact_lock

ALTER TABLE alert ALTER COLUMN alert_number DROP DEFAULT;
