-- What runs want people to know. The numbers are those of the history of the registry, so that webhooks go through both.

CREATE TABLE alert (
    run_id       uuid     NOT NULL REFERENCES run ON DELETE CASCADE,
    alert_number bigint   NOT NULL DEFAULT nextval('registry_change_change_number_seq'),
    time_ms      bigint   NOT NULL,
    level        smallint NOT NULL CHECK (level IN (1, 2, 3)),  -- info, warning, error
    title        text     NOT NULL,
    text         text     NOT NULL,
    PRIMARY KEY (run_id, alert_number)
);
CREATE INDEX alert_by_number ON alert (alert_number);

-- What webhooks tell of.
CREATE VIEW webhook_event AS
SELECT change_number AS event_number, kind, model_name, NULL::uuid AS run_id
FROM registry_change
UNION ALL
SELECT alert_number, 'alert'::text, ''::text, run_id
FROM alert;
