-- Whose the files of a version are: a logged model's or a run's, and where among them. Who has them keeps them as long as
-- the version is there (store/content/keeping.py).
ALTER TABLE model_version ADD COLUMN files_of   uuid;                       -- NULL: they are elsewhere
ALTER TABLE model_version ADD COLUMN files_path text NOT NULL DEFAULT '';
CREATE INDEX model_version_by_files ON model_version (files_of) WHERE files_of IS NOT NULL;

-- Of the versions that there are.
UPDATE model_version
SET files_of = found.place[1]::uuid, files_path = coalesce(found.place[2], '')
FROM (
    SELECT version_id, coalesce(
        regexp_match(storage_uri, '(?:^models:/+|/)m-([0-9a-f]{32})(?:/artifacts)?(?:/+(.*?))?/*$'),
        regexp_match(storage_uri, '^runs:/+(?:[^/]+:[0-9]+/)?([0-9a-f]{32})(?:/+(.*?))?/*$'),
        regexp_match(storage_uri, '/([0-9a-f]{32})/artifacts(?:/+(.*?))?/*$')
    ) AS place
    FROM model_version
) AS found
WHERE found.version_id = model_version.version_id AND found.place IS NOT NULL;

-- What a run shows of a model is the model's: the version stays with it when the run shows another one.
UPDATE model_version
SET files_of    = model.model_id,
    files_path  = ltrim(substr(files_path, length(model.name) + 1), '/'),
    storage_uri = model.artifact_uri || substr(files_path, length(model.name) + 1)
FROM artifact
JOIN logged_model AS model ON model.model_id = artifact.linked_model_id
WHERE artifact.run_id = model_version.files_of
  AND artifact.path = ltrim(model_version.files_path || '/MLmodel', '/')
  AND (model_version.files_path = model.name OR starts_with(model_version.files_path, model.name || '/'));
