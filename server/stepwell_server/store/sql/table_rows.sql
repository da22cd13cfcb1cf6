-- Queries of store/content/table_rows.py.

-- is_known: whether a call has added its rows.
SELECT EXISTS (SELECT FROM table_addition WHERE run_id = $1 AND call_id = $2);

-- sha256: of the table that is at a path now.
SELECT content.sha256
FROM artifact
JOIN artifact_content AS content USING (content_id)
WHERE artifact.run_id = $1 AND artifact.path = $2;

-- note_call: a call has added its rows.
INSERT INTO table_addition (run_id, call_id) VALUES ($1, $2);

-- tag: the value of a tag of a run, which stays so until the transaction ends.
SELECT value FROM tag WHERE run_id = $1 AND key = $2 FOR UPDATE;

-- set_tag: writes a tag over what is there.
INSERT INTO tag (run_id, key, value) VALUES ($1, $2, $3)
ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value;
