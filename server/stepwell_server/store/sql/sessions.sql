-- Queries of store/access/sessions.py.

-- begin: begins a session of an account ($2), with what a token ($3) may, if it began with one
INSERT INTO browser_session (sha256, account_id, token_id, way) VALUES ($1, $2, $3, $4);

-- forget: removes sessions that were not seen for $1 ms, or began $2 ms ago
DELETE FROM browser_session
WHERE seen_time_ms <= (extract(epoch FROM now()) * 1000)::bigint - $1
   OR created_time_ms <= (extract(epoch FROM now()) * 1000)::bigint - $2;

-- keep_latest: removes all sessions of an account but the latest $2
DELETE FROM browser_session
WHERE sha256 IN (
    SELECT sha256 FROM browser_session WHERE account_id = $1 ORDER BY created_time_ms DESC, sha256 OFFSET $2
);

-- find: who began a session that was seen in the last $2 ms and is not $3 ms old; notes every $4 ms that it is seen
WITH found AS (
    SELECT session.sha256, session.way, account.account_id, account.name, account.kind, account.is_admin,
           account.is_active, session.token_id, coalesce(scope, 3) AS scope, experiment_ids, seen_time_ms, now_ms,
           expires_time_ms, coalesce(expires_time_ms <= now_ms, false) AS is_expired,
           revoked_time_ms IS NOT NULL AS is_revoked
    FROM browser_session AS session
    JOIN account ON account.account_id = session.account_id
    LEFT JOIN access_token ON access_token.token_id = session.token_id
    CROSS JOIN (SELECT (extract(epoch FROM now()) * 1000)::bigint AS now_ms) AS clock
    WHERE session.sha256 = $1 AND seen_time_ms > now_ms - $2 AND session.created_time_ms > now_ms - $3
), seen AS (
    UPDATE browser_session SET seen_time_ms = now_ms
    FROM found
    WHERE browser_session.sha256 = found.sha256 AND found.seen_time_ms < now_ms - $4
)
SELECT way, account_id, name, kind, is_admin, is_active, token_id, scope, experiment_ids, expires_time_ms, is_expired,
       is_revoked
FROM found;

-- end: ends a session
DELETE FROM browser_session WHERE sha256 = $1;

-- end_all: ends all sessions of an account; returns how many
WITH ended AS (DELETE FROM browser_session WHERE account_id = $1 RETURNING 1) SELECT count(*) FROM ended;

-- confirm: lets a program in, as an account; no row when somebody did already
INSERT INTO login_code (code, account_id, token_name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING code;

-- forget_codes: removes codes that nobody came for in $1 ms
DELETE FROM login_code WHERE confirmed_time_ms <= (extract(epoch FROM now()) * 1000)::bigint - $1;

-- keep_latest_codes: removes all codes of an account but the latest $2
DELETE FROM login_code
WHERE code IN (
    SELECT code FROM login_code WHERE account_id = $1 ORDER BY confirmed_time_ms DESC, code OFFSET $2
);

-- take_code: who let the program of a code in, in the last $2 ms; once
DELETE FROM login_code USING account
WHERE code = $1 AND account.account_id = login_code.account_id AND account.is_active
  AND confirmed_time_ms > (extract(epoch FROM now()) * 1000)::bigint - $2
RETURNING account.account_id, account.name, account.kind, account.is_admin, token_name;
