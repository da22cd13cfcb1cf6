-- Queries of store/registry/.

-- create_model: adds a registered model; no row when the name is taken. A creation time of 0 means now.
INSERT INTO registered_model AS added (name, description, custom_stages, creation_time_ms, last_update_time_ms)
SELECT $1, $2, $3, coalesce(nullif($4::bigint, 0), now_ms), now_ms
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms) AS clock
ON CONFLICT (name) DO NOTHING
RETURNING added.*;

-- touch: notes that a registered model changes, and locks it: its changes come one after the other.
UPDATE registered_model
SET last_update_time_ms = greatest(last_update_time_ms, (extract(epoch FROM statement_timestamp()) * 1000)::bigint)
WHERE name = $1
RETURNING *;

-- take_number: the same for a new version: the next number, or $2 if it was not given yet.
UPDATE registered_model
SET last_update_time_ms = greatest(last_update_time_ms, (extract(epoch FROM statement_timestamp()) * 1000)::bigint),
    last_version = greatest(last_version + 1, $2)
WHERE name = $1
RETURNING *;

-- set_name: renames a registered model.
UPDATE registered_model
SET name = $2
WHERE model_number = $1;

-- set_description: of a registered model.
UPDATE registered_model
SET description = $2
WHERE model_number = $1;

-- set_custom_stages: of a registered model.
UPDATE registered_model
SET custom_stages = $2
WHERE model_number = $1;

-- versions_in: how many versions are in the stages $2.
SELECT count(*)
FROM model_version
WHERE model_number = $1 AND stage = ANY ($2::text[]);

-- delete_model: removes a registered model with all below it.
DELETE FROM registered_model
WHERE model_number = $1;

-- model: a registered model by name, without its latest versions.
SELECT *
FROM registered_models
WHERE name = $1;

-- custom_stages: those of a registered model.
SELECT model_number, custom_stages
FROM registered_model
WHERE name = $1;

-- latest: of registered models, the version with the greatest number of each stage, or of those in $2.
SELECT shown.*
FROM registered_model AS model
CROSS JOIN LATERAL unnest(ARRAY['None', 'Staging', 'Production', 'Archived'] || model.custom_stages) AS wanted (stage)
CROSS JOIN LATERAL (
    SELECT version_id
    FROM model_version
    WHERE model_version.model_number = model.model_number AND model_version.stage = wanted.stage
    ORDER BY version DESC
    LIMIT 1
) AS latest
CROSS JOIN LATERAL (
    SELECT * FROM model_versions WHERE model_versions.version_id = latest.version_id OFFSET 0
) AS shown
WHERE model.model_number = ANY ($1::bigint[]) AND ($2::text[] IS NULL OR wanted.stage = ANY ($2))
ORDER BY shown.model_number, shown.stage;

-- set_model_tags: writes tags over what is there.
INSERT INTO registered_model_tag (model_number, key, value)
SELECT $1, key, value
FROM unnest($2::text[], $3::text[]) AS given (key, value)
ORDER BY key
ON CONFLICT (model_number, key) DO UPDATE SET value = excluded.value;

-- model_tags: the tags with the keys $2.
SELECT key, value
FROM registered_model_tag
WHERE model_number = $1 AND key = ANY ($2::text[]);

-- model_tags_bytes: how large all tags are together.
SELECT coalesce(sum(octet_length(key) + octet_length(value)), 0)::bigint
FROM registered_model_tag
WHERE model_number = $1;

-- delete_model_tag: removes a tag; returns its value.
DELETE FROM registered_model_tag
WHERE model_number = $1 AND key = $2
RETURNING value;

-- create_version: adds a version.
INSERT INTO model_version (model_number, version, description, source, storage_uri, run_id, model_id, run_link,
                           user_name, creation_time_ms, last_update_time_ms, files_of, files_path)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, coalesce(nullif($11::bigint, 0), $10), $10, $12, $13)
RETURNING version_id;

-- keeps_files: whether the run or logged model $1 will have its files tomorrow; no row when there is none.
SELECT removal_began_ms IS NULL AS keeps
FROM run
WHERE run_id = $1
UNION ALL
SELECT lifecycle_stage = 'active' AND NOT removal_began
FROM logged_model
WHERE model_id = $1;

-- needing_files: the first $3 versions whose files are of the run or logged model $1, and at the path $2, below or around it
-- ("": all of its files); of how many.
SELECT registered_model.name, model_version.version, count(*) OVER () AS number
FROM model_version
JOIN registered_model USING (model_number)
WHERE files_of = $1
  AND ($2 = '' OR files_path IN ('', $2) OR starts_with(files_path, $2 || '/') OR starts_with($2, files_path || '/'))
ORDER BY registered_model.name, model_version.version
LIMIT $3;

-- note_on_logged_model: adds a version ($3, JSON) to the list in the tag $2 of a logged model, if it is there. Who wrote
-- something else than a list there loses it; a list beyond $4 characters is left as it is.
INSERT INTO logged_model_tag AS stored (model_id, key, value)
SELECT model_id, $2, '[' || $3 || ']'
FROM logged_model
WHERE model_id = $1 AND lifecycle_stage = 'active'
ON CONFLICT (model_id, key) DO UPDATE
SET value = CASE WHEN stored.value ~ '^\[.*\S.*\]$' THEN left(stored.value, -1) || ', ' || $3 || ']'
                 ELSE excluded.value END
WHERE length(stored.value) + length($3) + 2 <= $4;

-- version: one by name and number.
SELECT *
FROM model_versions
WHERE name = $1 AND version = $2;

-- latest_version: the one with the greatest number of a name.
SELECT *
FROM model_versions
WHERE model_number = (SELECT model_number FROM registered_model WHERE registered_model.name = $1)
ORDER BY version DESC
LIMIT 1;

-- version_by_alias: what an alias stands for.
SELECT *
FROM model_versions
WHERE version_id = (
    SELECT version_id FROM model_alias JOIN registered_model USING (model_number)
    WHERE registered_model.name = $1 AND model_alias.alias = $2
);

-- version_by_id: one by its own key.
SELECT *
FROM model_versions
WHERE version_id = $1;

-- touch_version: notes that a version changes, at the time $3, and returns it as it is.
UPDATE model_version
SET last_update_time_ms = $3
WHERE model_number = $1 AND version = $2
RETURNING *;

-- set_version_description: of a version.
UPDATE model_version
SET description = $2
WHERE version_id = $1;

-- set_version_tags: writes tags over what is there.
INSERT INTO model_version_tag (version_id, key, value)
SELECT $1, key, value
FROM unnest($2::text[], $3::text[]) AS given (key, value)
ORDER BY key
ON CONFLICT (version_id, key) DO UPDATE SET value = excluded.value;

-- version_tags: the tags with the keys $2.
SELECT key, value
FROM model_version_tag
WHERE version_id = $1 AND key = ANY ($2::text[]);

-- version_tags_bytes: how large all tags are together.
SELECT coalesce(sum(octet_length(key) + octet_length(value)), 0)::bigint
FROM model_version_tag
WHERE version_id = $1;

-- delete_version_tag: removes a tag; returns its value.
DELETE FROM model_version_tag
WHERE version_id = $1 AND key = $2
RETURNING value;

-- delete_version: removes a version with its tags and aliases.
DELETE FROM model_version
WHERE version_id = $1;

-- aliases_of: what stands for a version.
SELECT alias
FROM model_alias
WHERE version_id = $1
ORDER BY alias;

-- alias: the version that an alias stands for.
SELECT model_version.version
FROM model_alias JOIN model_version USING (version_id)
WHERE model_alias.model_number = $1 AND model_alias.alias = $2;

-- set_alias: lets an alias stand for a version.
INSERT INTO model_alias (model_number, alias, version_id)
VALUES ($1, $2, $3)
ON CONFLICT (model_number, alias) DO UPDATE SET version_id = excluded.version_id;

-- delete_alias: removes an alias.
DELETE FROM model_alias
WHERE model_number = $1 AND alias = $2;

-- in_stage: the greatest number of the versions in a stage; none: 0.
SELECT coalesce(max(version), 0)
FROM model_version
WHERE model_number = $1 AND stage = $2;

-- archive_others: moves the versions of the stage $2, but for the number $3, to Archived at the time $4.
UPDATE model_version
SET stage = 'Archived', last_update_time_ms = $4
WHERE model_number = $1 AND stage = $2 AND version <> $3
RETURNING version;

-- set_stage: moves a version.
UPDATE model_version
SET stage = $2
WHERE version_id = $1;

-- note_changes: adds to the history. The lock ($1), taken last and held until the commit, gives the numbers the order
-- of the commits: who has read up to a number has missed nothing before it. In the other form it was taken, and the
-- numbers follow $1.
/* single */ WITH locked AS MATERIALIZED (
    SELECT pg_advisory_xact_lock($1)
) /* distributed: */
INSERT INTO registry_change (/* distributed: change_number, */ time_ms, kind, model_number, model_name, version, key, value_before, value_after,
                             user_name, comment) /* distributed: OVERRIDING SYSTEM VALUE */
SELECT /* distributed: $1::bigint + change.place, */ $2, change.kind, $3, change.name, change.version, change.key, change.value_before, change.value_after, $4, $5
FROM /* single */ locked, /* distributed: */ unnest($6::text[], $7::text[], $8::integer[], $9::text[], $10::text[], $11::text[])
    WITH ORDINALITY AS change (kind, name, version, key, value_before, value_after, place)
ORDER BY change.place;

-- note_imported: adds to the history of the model $2 what happened elsewhere; locks as note_changes.
/* single */ WITH locked AS MATERIALIZED (
    SELECT pg_advisory_xact_lock($1)
) /* distributed: */
INSERT INTO registry_change (/* distributed: change_number, */ model_number, time_ms, kind, model_name, version, key, value_before, value_after,
                             user_name, comment, imported) /* distributed: OVERRIDING SYSTEM VALUE */
SELECT /* distributed: $1::bigint + change.place, */ $2, change.time_ms, change.kind, change.name, change.version, change.key, change.value_before, change.value_after,
       change.user_name, change.comment, true
FROM /* single */ locked, /* distributed: */ unnest($3::bigint[], $4::text[], $5::text[], $6::integer[], $7::text[], $8::text[], $9::text[], $10::text[],
                    $11::text[])
    WITH ORDINALITY AS change (time_ms, kind, name, version, key, value_before, value_after, user_name, comment, place)
ORDER BY change.place;

-- model_of_history: the number of the model of a name, else of the one that had it last.
SELECT coalesce(
    (SELECT model_number FROM registered_model WHERE name = $1),
    (SELECT model_number FROM registry_change WHERE model_name = $1
     ORDER BY change_number DESC LIMIT 1)
);

-- changes_after: the first $5 after the number $4; of a model ($1), a version ($2), some kinds ($3), if given;
-- of models $6 (NULL: all), but $7; $8 tells whether also of those that were deleted, as no grant tells any more who might
-- read them.
SELECT *
FROM registry_change
WHERE ($1::bigint IS NULL OR model_number = $1) AND ($2::integer IS NULL OR version = $2)
  AND ($3::text[] IS NULL OR kind = ANY ($3)) AND change_number > $4
  AND ($6::bigint[] IS NULL OR model_number = ANY ($6)) AND model_number <> ALL ($7::bigint[])
  AND ($8 OR EXISTS (SELECT FROM registered_model AS model WHERE model.model_number = registry_change.model_number))
ORDER BY change_number
LIMIT $5;

-- changes_before: the last $5 before the number $4 (0: all); else as changes_after.
SELECT *
FROM registry_change
WHERE ($1::bigint IS NULL OR model_number = $1) AND ($2::integer IS NULL OR version = $2)
  AND ($3::text[] IS NULL OR kind = ANY ($3)) AND ($4::bigint = 0 OR change_number < $4)
  AND ($6::bigint[] IS NULL OR model_number = ANY ($6)) AND model_number <> ALL ($7::bigint[])
  AND ($8 OR EXISTS (SELECT FROM registered_model AS model WHERE model.model_number = registry_change.model_number))
ORDER BY change_number DESC
LIMIT $5;

-- latest_change: the greatest number that there is; 0 when there is none.
SELECT coalesce(max(change_number), 0)
FROM registry_change;
