-- database_bytes: what the database takes on its disk
SELECT pg_database_size(current_database());

-- artifact_bytes: what artifacts take, equal ones once
SELECT coalesce(sum(size_bytes), 0)::bigint FROM artifact_content;
