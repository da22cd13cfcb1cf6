-- What runs had said where they were before they were imported: part of them, and no news.
ALTER TABLE alert ADD COLUMN imported boolean NOT NULL DEFAULT false;

CREATE OR REPLACE VIEW webhook_event AS
SELECT change_number AS event_number, kind, model_name, NULL::uuid AS run_id
FROM registry_change
WHERE NOT imported
UNION ALL
SELECT alert_number, 'alert'::text, ''::text, run_id
FROM alert
WHERE NOT imported;
