-- Calls that logged something by themselves, without a stream: a client that got no answer sends the call again.
-- Kept for as long as repeats may come (forgetting.py), so there is no reference to `run`: nothing has to clean up.

CREATE TABLE logged_call (
    run_id  uuid   NOT NULL,
    call_id uuid   NOT NULL,   -- made of the points, or of the caller's name for the call and all that it logged
    time_ms bigint NOT NULL,
    PRIMARY KEY (run_id, call_id)
);
CREATE INDEX logged_call_by_age ON logged_call (time_ms);
