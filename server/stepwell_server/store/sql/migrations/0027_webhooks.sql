-- Webhooks of the registry. Drawn in store/README.md.

CREATE TABLE webhook (
    webhook_id       uuid    PRIMARY KEY,
    name             text    NOT NULL,
    url              text    NOT NULL,
    secret           text    NOT NULL,
    kinds            text[]  NOT NULL,             -- none: all
    model_name       text    NOT NULL,             -- '': all
    is_active        boolean NOT NULL DEFAULT true,
    position         bigint  NOT NULL,             -- the last change that was delivered, given up, or is none of its kinds
    failed_attempts  integer NOT NULL DEFAULT 0,   -- of the next one
    next_attempt_ms  bigint  NOT NULL DEFAULT 0,   -- nobody tries before
    delivered        bigint  NOT NULL DEFAULT 0,
    given_up         bigint  NOT NULL DEFAULT 0,
    last_error       text    NOT NULL DEFAULT '',
    creation_time_ms bigint  NOT NULL
);
