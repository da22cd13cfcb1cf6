-- Queries of store/registry/webhooks.py.

-- lock: lets one after the other create webhooks.
/* single */ SELECT pg_advisory_xact_lock($1) /* distributed:
INSERT INTO named_lock AS held (lock_key) VALUES ($1)
ON CONFLICT (lock_key) DO UPDATE SET number = held.number */;

-- create: adds a webhook, unless there are $7 already; it begins with what changes from now on.
INSERT INTO webhook AS added (webhook_id, name, url, secret, kinds, model_name, position, creation_time_ms)
SELECT $1, $2, $3, $4, $5, $6, coalesce((SELECT max(event_number) FROM webhook_event), 0),
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE (SELECT count(*) FROM webhook) < $7
RETURNING added.*;

-- list: all, oldest first.
SELECT *
FROM webhook
ORDER BY creation_time_ms, webhook_id;

-- get: one by its id.
SELECT *
FROM webhook
WHERE webhook_id = $1;

-- update: changes what is not NULL. One that is active again begins with what changes from then on.
UPDATE webhook
SET name = coalesce($2, name),
    url = coalesce($3, url),
    secret = coalesce($4, secret),
    kinds = coalesce($5, kinds),
    is_active = coalesce($6, is_active),
    position = CASE WHEN $6 AND NOT is_active THEN coalesce((SELECT max(event_number) FROM webhook_event), 0)
                    ELSE position END,
    failed_attempts = 0,
    next_attempt_ms = 0,
    last_error = ''
WHERE webhook_id = $1
RETURNING *;

-- delete: removes one; returns its id.
DELETE FROM webhook
WHERE webhook_id = $1
RETURNING webhook_id;

-- skip: moves webhooks past what is none of their kinds, and past all but the last $1 changes, which are given up; but not
-- while they wait, for $2 ms at most: what waits for longer does so since before the clock was set back.
WITH moved AS (
    SELECT waiting.webhook_id,
           coalesce(/* single */ beyond.event_number /* distributed: first.beyond */,
                    first.event_number - 1, latest.event_number) AS position,
           /* single */ CASE WHEN beyond.event_number IS NULL THEN 0 ELSE beyond.passed END
           /* distributed: coalesce(first.passed, 0) */ AS given_up
    FROM webhook AS waiting
    CROSS JOIN (SELECT coalesce(max(event_number), 0) AS event_number FROM webhook_event) AS latest
    LEFT JOIN /* single */ LATERAL (
        SELECT event_number
        FROM webhook_event
        WHERE event_number > waiting.position
          AND (waiting.kinds = '{}' OR kind = ANY (waiting.kinds))
          AND (waiting.model_name = '' OR model_name = waiting.model_name)
        ORDER BY event_number
        LIMIT 1
    ) AS first ON true
    LEFT JOIN LATERAL (
        SELECT max(event_number) AS event_number, count(*) AS passed
        FROM (
            SELECT event_number
            FROM webhook_event
            WHERE event_number > waiting.position
              AND (waiting.kinds = '{}' OR kind = ANY (waiting.kinds))
              AND (waiting.model_name = '' OR model_name = waiting.model_name)
            ORDER BY event_number DESC
            OFFSET $1
        ) AS old
    ) AS beyond ON true
    /* distributed: (
        SELECT webhook_id, min(event_number) AS event_number,
               max(event_number) FILTER (WHERE place > $1) AS beyond, count(*) FILTER (WHERE place > $1) AS passed
        FROM (
            SELECT webhook_id, event_number,
                   row_number() OVER (PARTITION BY webhook_id ORDER BY event_number DESC) AS place
            FROM webhook
            JOIN webhook_event ON event_number > webhook.position
            WHERE (kinds = '{}' OR kind = ANY (kinds))
              AND (webhook.model_name = '' OR webhook_event.model_name = webhook.model_name)
        ) AS numbered
        GROUP BY webhook_id
    ) AS first ON first.webhook_id = waiting.webhook_id */
    WHERE waiting.is_active AND waiting.position < latest.event_number
      AND waiting.next_attempt_ms - (extract(epoch FROM clock_timestamp()) * 1000)::bigint NOT BETWEEN 1 AND $2
)
UPDATE webhook
SET position = moved.position,
    given_up = webhook.given_up + moved.given_up,
    failed_attempts = CASE WHEN moved.given_up > 0 THEN 0 ELSE webhook.failed_attempts END
FROM moved
WHERE webhook.webhook_id = moved.webhook_id AND moved.position > webhook.position;

-- claim: takes a webhook at which a change is due, for $1 ms: nobody else tries it meanwhile. It waits as in skip.
UPDATE webhook
SET next_attempt_ms = (extract(epoch FROM statement_timestamp()) * 1000)::bigint + $1
WHERE next_attempt_ms - (extract(epoch FROM statement_timestamp()) * 1000)::bigint NOT BETWEEN 1 AND $2 AND webhook_id = (
    SELECT webhook_id
    FROM webhook AS due
    WHERE is_active AND next_attempt_ms - (extract(epoch FROM statement_timestamp()) * 1000)::bigint NOT BETWEEN 1 AND $2
      AND /* single */ EXISTS (
          SELECT FROM webhook_event
          WHERE event_number > due.position
            AND (due.kinds = '{}' OR kind = ANY (due.kinds))
            AND (due.model_name = '' OR model_name = due.model_name)
      ) /* distributed: webhook_id IN (
          SELECT webhook_id
          FROM webhook
          JOIN webhook_event ON event_number > position
          WHERE (kinds = '{}' OR kind = ANY (kinds))
            AND (webhook.model_name = '' OR webhook_event.model_name = webhook.model_name)
      ) */
    ORDER BY next_attempt_ms
    LIMIT 1
    /* single */ FOR UPDATE SKIP LOCKED /* distributed: */
)
RETURNING *;

-- due: the first event that a webhook at the position $1 waits for, of the kinds $2 and the model $3.
SELECT *
FROM webhook_event
WHERE event_number > $1 AND ($2::text[] = '{}' OR kind = ANY ($2)) AND ($3 = '' OR model_name = $3)
ORDER BY event_number
LIMIT 1;

-- change: a change of the registry.
SELECT *
FROM registry_change
WHERE change_number = $1;

-- settle: moves a webhook past the change $2, delivered ($3) or given up, unless it was moved meanwhile.
UPDATE webhook
SET position = $2,
    failed_attempts = 0,
    next_attempt_ms = 0,
    delivered = delivered + CASE WHEN $3 THEN 1 ELSE 0 END,
    given_up = given_up + CASE WHEN $3 THEN 0 ELSE 1 END,
    last_error = $4
WHERE webhook_id = $1 AND position < $2;

-- postpone: notes an attempt in vain; the next one comes after $2 ms.
UPDATE webhook
SET failed_attempts = failed_attempts + 1,
    next_attempt_ms = (extract(epoch FROM statement_timestamp()) * 1000)::bigint + $2,
    last_error = $3
WHERE webhook_id = $1;
