-- Queries of store/access/accounts.py, credentials.py and tokens.py.

-- shown_token: what is known of the token of a SHA-256; notes once a minute that it is used
WITH found AS (
    SELECT token_id, account.account_id, account.name, account.kind, is_admin, is_active, scope, experiment_ids,
           expires_time_ms, coalesce(expires_time_ms <= now_ms, false) AS is_expired,
           revoked_time_ms IS NOT NULL AS is_revoked
    FROM access_token
    JOIN account USING (account_id)
    CROSS JOIN (SELECT (extract(epoch FROM now()) * 1000)::bigint AS now_ms) AS clock
    WHERE sha256 = $1
), used AS (
    UPDATE access_token SET last_used_time_ms = (extract(epoch FROM now()) * 1000)::bigint
    FROM found
    WHERE access_token.token_id = found.token_id AND NOT is_expired AND NOT is_revoked
      AND coalesce(last_used_time_ms, 0) < (extract(epoch FROM now()) * 1000)::bigint - 60000
), used_account AS (
    UPDATE account SET last_used_time_ms = (extract(epoch FROM now()) * 1000)::bigint
    FROM found
    WHERE account.account_id = found.account_id AND NOT is_expired AND NOT is_revoked
      AND coalesce(last_used_time_ms, 0) < (extract(epoch FROM now()) * 1000)::bigint - 60000
)
SELECT * FROM found;

-- shown_account: what is known of the account of a name
SELECT account_id, name, kind, is_admin, is_active, password_hash FROM account WHERE name = $1;

-- account_used: notes once a minute that an account is used
UPDATE account SET last_used_time_ms = (extract(epoch FROM now()) * 1000)::bigint
WHERE account_id = $1 AND coalesce(last_used_time_ms, 0) < (extract(epoch FROM now()) * 1000)::bigint - 60000;

-- account_of_subject: the account of somebody who signed on elsewhere
SELECT account_id, name, kind, is_admin, is_active FROM account WHERE subject = $1;

-- add_of_subject: adds an account of somebody who signed on elsewhere ($1); no row when a name like it is taken
INSERT INTO account AS added (subject, name, kind, alike)
SELECT $1, $2::text, 'user', $3::text WHERE NOT EXISTS (SELECT FROM account WHERE alike = $3)
ON CONFLICT DO NOTHING
RETURNING added.account_id, added.name, added.kind, added.is_admin, added.is_active;

-- set_admin: says whether an account is an admin's
UPDATE account SET is_admin = $2 WHERE account_id = $1;

-- leave_groups: takes an account out of the groups that were named elsewhere, but for $2
DELETE FROM group_member
USING account_group
WHERE account_group.group_id = group_member.group_id
  AND account_id = $1 AND by_provider AND account_group.name <> ALL ($2::text[]);

-- join_groups: puts an account into those groups of the names $2 that exist
INSERT INTO group_member (group_id, account_id, by_provider)
SELECT group_id, $1, true FROM account_group WHERE name = ANY ($2::text[])
ON CONFLICT DO NOTHING;

-- lock: keeps other servers from making a first admin at the same time, or taking the last one away
/* single */ SELECT pg_advisory_xact_lock($1) /* distributed:
INSERT INTO named_lock AS held (lock_key) VALUES ($1)
ON CONFLICT (lock_key) DO UPDATE SET number = held.number */;

-- is_empty: tells whether there is no account
SELECT NOT EXISTS (SELECT FROM account);

-- admins_left: how many active admins there are beside an account
SELECT count(*) FROM account WHERE is_admin AND is_active AND name <> $1;

-- add: adds an account; no row when a name like it is taken
INSERT INTO account AS added (name, kind, password_hash, is_admin, alike)
SELECT $1::text, $2::text, $3::text, $4::boolean, $5::text
WHERE NOT EXISTS (SELECT FROM account WHERE alike = $5)
ON CONFLICT DO NOTHING
RETURNING added.*;

-- alike: the account whose name is taken for another
SELECT name FROM account WHERE alike = $1 ORDER BY account_id LIMIT 1;

-- get: an account with its groups
SELECT account.*, ARRAY(
    SELECT account_group.name FROM account_group JOIN group_member USING (group_id)
    WHERE group_member.account_id = account.account_id ORDER BY account_group.name COLLATE "C"
) AS groups
FROM account WHERE name = $1;

-- list: $2 accounts by name, after $1, with their groups
SELECT account.*, ARRAY(
    SELECT account_group.name FROM account_group JOIN group_member USING (group_id)
    WHERE group_member.account_id = account.account_id ORDER BY account_group.name COLLATE "C"
) AS groups
FROM account WHERE name COLLATE "C" > $1 ORDER BY name COLLATE "C" LIMIT $2;

-- change: changes what is not NULL; returns the name
UPDATE account
SET password_hash = coalesce($2, password_hash),
    is_admin = coalesce($3, is_admin),
    is_active = coalesce($4, is_active)
WHERE name = $1
RETURNING name;

-- end_sessions: signs an account out in all browsers
DELETE FROM browser_session USING account
WHERE browser_session.account_id = account.account_id AND account.name = $1;

-- remove: removes an account; returns its name
DELETE FROM account WHERE name = $1 RETURNING name;

-- add_group: adds a group; no row when a name like it is taken
INSERT INTO account_group AS added (name, alike)
SELECT $1::text, $2::text WHERE NOT EXISTS (SELECT FROM account_group WHERE alike = $2)
ON CONFLICT DO NOTHING
RETURNING added.*;

-- group_alike: the group whose name is taken for another
SELECT name FROM account_group WHERE alike = $1 ORDER BY group_id LIMIT 1;

-- group: a group with its members
SELECT group_id, account_group.name, created_time_ms, ARRAY(
    SELECT account.name FROM account JOIN group_member USING (account_id)
    WHERE group_member.group_id = account_group.group_id ORDER BY account.name COLLATE "C"
) AS members
FROM account_group WHERE name = $1;

-- groups: $2 groups by name, after $1, with their members
SELECT group_id, account_group.name, created_time_ms, ARRAY(
    SELECT account.name FROM account JOIN group_member USING (account_id)
    WHERE group_member.group_id = account_group.group_id ORDER BY account.name COLLATE "C"
) AS members
FROM account_group WHERE name COLLATE "C" > $1 ORDER BY name COLLATE "C" LIMIT $2;

-- remove_group: removes a group; returns its name
DELETE FROM account_group WHERE name = $1 RETURNING name;

-- unknown_accounts: names that no account has
SELECT given FROM unnest($1::text[]) AS given WHERE NOT EXISTS (SELECT FROM account WHERE name = given);

-- add_members: puts accounts into a group
INSERT INTO group_member (group_id, account_id)
SELECT $1, account_id FROM account WHERE name = ANY ($2::text[])
ON CONFLICT (group_id, account_id) DO UPDATE SET by_provider = false;

-- remove_members: takes accounts out of a group
DELETE FROM group_member USING account
WHERE group_member.account_id = account.account_id AND group_id = $1 AND account.name = ANY ($2::text[]);

-- count_tokens: how many tokens an account has that may still be used, locked against others
SELECT (
    SELECT count(*) FROM access_token
    WHERE account_id = $1 AND revoked_time_ms IS NULL
      AND coalesce(expires_time_ms > (extract(epoch FROM now()) * 1000)::bigint, true)
)
FROM account WHERE account_id = $1 FOR UPDATE;

-- keep_latest_ended: removes tokens of an account that were revoked or have expired, all but the latest $2
DELETE FROM access_token
WHERE token_id IN (
    SELECT token_id FROM access_token
    WHERE account_id = $1
      AND (revoked_time_ms IS NOT NULL OR expires_time_ms <= (extract(epoch FROM now()) * 1000)::bigint)
    ORDER BY token_id DESC OFFSET $2
);

-- add_token: adds a token
INSERT INTO access_token (account_id, name, sha256, hint, scope, experiment_ids, expires_time_ms)
VALUES ($1, $2, $3, $4, $5, $6::bigint[], $7)
RETURNING access_token.*, (SELECT name FROM account WHERE account_id = $1) AS account;

-- tokens: the latest $2 tokens of an account, or (NULL) of all
SELECT access_token.*, account.name AS account
FROM access_token JOIN account USING (account_id)
WHERE $1::text IS NULL OR account.name = $1
ORDER BY token_id DESC LIMIT $2;

-- token: a token, of one account ($2) if that is given
SELECT access_token.*, account.name AS account
FROM access_token JOIN account USING (account_id)
WHERE token_id = $1 AND ($2::bigint IS NULL OR account_id = $2);

-- revoke_token: revokes a token
WITH clock AS (
    SELECT (extract(epoch FROM now()) * 1000)::bigint AS now_ms
)
UPDATE access_token
SET revoked_time_ms = coalesce(revoked_time_ms, clock.now_ms)
FROM account, clock
WHERE token_id = $1 AND account.account_id = access_token.account_id
RETURNING access_token.*, account.name AS account;
