-- All bytes came through the server, which has hashed them. Only came_through: they may be on their way still.
ALTER TABLE artifact_upload ADD COLUMN is_checked boolean NOT NULL DEFAULT false;
