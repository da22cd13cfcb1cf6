-- Queries of store/content/shares/marks.py.

-- mark: the mark of a root.
SELECT mark
FROM artifact_mark
WHERE root = $1;

-- note: notes the mark $2 of the root $1, unless it is known by another root, which counts then; nothing when the root has
-- another mark.
WITH noted AS (
    INSERT INTO artifact_mark (root, mark)
    VALUES ($1, $2)
    ON CONFLICT DO NOTHING
    RETURNING root
)
SELECT root FROM noted
UNION ALL
SELECT root FROM artifact_mark WHERE mark = $2
LIMIT 1;
