-- A file may be on its way before anybody knows its size and hash: what comes by HTTP. Both are NULL until it is there.
ALTER TABLE artifact_upload
    ALTER COLUMN size_bytes DROP NOT NULL,
    ALTER COLUMN sha256 DROP NOT NULL;
