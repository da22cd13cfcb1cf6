-- Who removes content has PostgreSQL look whether an artifact shows it: without this, in all artifacts of all runs.

CREATE INDEX artifact_by_content ON artifact (content_id);
