-- Queries of store/access/grants.py, owners.py and audit.py.

-- default: what everybody may do where no grant says anything
SELECT level FROM access_default;

-- set_default: says what that is
UPDATE access_default SET level = $1;

-- rights: the grants that count for an account, each kind by its own index
SELECT 'account' AS subject, experiment_id, model_number, level
FROM access_grant
WHERE account_id = $1
UNION ALL
SELECT 'group', experiment_id, model_number, level
FROM group_member
JOIN access_grant USING (group_id)
WHERE group_member.account_id = $1
UNION ALL
SELECT 'everybody', experiment_id, model_number, level
FROM access_grant
WHERE coalesce(account_id, 0) = 0 AND coalesce(group_id, 0) = 0;

-- account_id: the account of a name
SELECT account_id FROM account WHERE name = $1;

-- group_id: the group of a name
SELECT group_id FROM account_group WHERE name = $1;

-- experiment_id: whether there is an experiment
SELECT experiment_id FROM experiment WHERE experiment_id = $1;

-- model_number: the number of a registered model
SELECT model_number FROM registered_model WHERE name = $1;

-- grant: says what somebody may do with something, in place of what was said before
INSERT INTO access_grant (account_id, group_id, experiment_id, model_number, level) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (
    coalesce(account_id, 0), coalesce(group_id, 0), coalesce(experiment_id, -1), coalesce(model_number, -1)
) DO UPDATE SET level = excluded.level;

-- revoke: takes a grant back; returns its number
DELETE FROM access_grant
WHERE account_id IS NOT DISTINCT FROM $1 AND group_id IS NOT DISTINCT FROM $2
  AND experiment_id IS NOT DISTINCT FROM $3 AND model_number IS NOT DISTINCT FROM $4
RETURNING grant_id;

-- grants: the first $6 grants of something ($1 experiment, $2 model) or to somebody ($3 account, $4 group, $5 everybody)
SELECT account.name AS account, account_group.name AS group_name, experiment.experiment_id,
       experiment.name AS experiment, registered_model.name AS model, access_grant.level
FROM access_grant
LEFT JOIN account USING (account_id)
LEFT JOIN account_group USING (group_id)
LEFT JOIN experiment USING (experiment_id)
LEFT JOIN registered_model USING (model_number)
WHERE ($1::bigint IS NULL OR access_grant.experiment_id = $1)
  AND ($2::bigint IS NULL OR access_grant.model_number = $2)
  AND ($3::bigint IS NULL OR access_grant.account_id = $3)
  AND ($4::bigint IS NULL OR access_grant.group_id = $4)
  AND (NOT $5 OR (access_grant.account_id IS NULL AND access_grant.group_id IS NULL))
ORDER BY experiment.experiment_id, registered_model.name COLLATE "C", account.name COLLATE "C",
         account_group.name COLLATE "C"
LIMIT $6;

-- experiments_of: the experiments of runs and logged models
SELECT run_id AS id, experiment_id FROM run WHERE run_id = ANY ($1::uuid[])
UNION ALL
SELECT model_id, experiment_id FROM logged_model WHERE model_id = ANY ($1::uuid[]);

-- existing: which experiments there are
SELECT experiment_id FROM experiment WHERE experiment_id = ANY ($1::bigint[]);

-- experiment_named: the experiment that a name means: the active one, or else the deleted one that changed last
SELECT experiment_id FROM experiment WHERE name = $1
ORDER BY lifecycle_stage = 'active' DESC, last_update_time_ms DESC, experiment_id DESC
LIMIT 1;

-- experiments_of_view: what a view is of
SELECT experiment_ids FROM saved_view WHERE view_id = $1;

-- note_audit: adds entries to the audit
INSERT INTO audit_entry (account, action, subject, details, origin)
SELECT account, action, subject, details::jsonb, origin
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
    WITH ORDINALITY AS given (account, action, subject, details, origin, place)
ORDER BY place;

-- forget_audit_of_signing_in: removes entries about signing in and out, all but the latest $1
DELETE FROM audit_entry
WHERE starts_with(action, 'log') AND audit_number <= (
    SELECT audit_number FROM audit_entry WHERE starts_with(action, 'log')
    ORDER BY audit_number DESC OFFSET $1 LIMIT 1
);

-- forget_audit_of_account: removes what else an account ($1) did, all but the latest $2
DELETE FROM audit_entry
WHERE account = $1 AND NOT starts_with(action, 'log') AND audit_number <= (
    SELECT audit_number FROM audit_entry WHERE account = $1 AND NOT starts_with(action, 'log')
    ORDER BY audit_number DESC OFFSET $2 LIMIT 1
);

-- forget_audit: removes the other entries, all but the latest $1
DELETE FROM audit_entry
WHERE NOT starts_with(action, 'log') AND audit_number <= (
    SELECT audit_number FROM audit_entry WHERE NOT starts_with(action, 'log')
    ORDER BY audit_number DESC OFFSET $1 LIMIT 1
);

-- audit: the latest $4 entries before the number $3 (0: of all), of an account ($1), of actions that begin with $2
SELECT audit_number, time_ms, account, action, subject, details::text AS details, origin
FROM audit_entry
WHERE ($1 = '' OR account = $1) AND starts_with(action, $2) AND ($3::bigint = 0 OR audit_number < $3)
ORDER BY audit_number DESC
LIMIT $4;
