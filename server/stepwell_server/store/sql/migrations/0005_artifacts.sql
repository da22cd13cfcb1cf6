-- Artifacts: what a run shows, the content behind it, uploads that are not finished, and bytes to be removed.

-- Bytes that at least one artifact shows, stored once for each root (a folder or a bucket's prefix).
CREATE TABLE artifact_content (
    content_id      uuid   PRIMARY KEY,
    root            text   NOT NULL,
    key             text   NOT NULL,           -- name of the bytes below the root; never used twice
    size_bytes      bigint NOT NULL CHECK (size_bytes >= 0),
    sha256          bytea  NOT NULL CHECK (length(sha256) = 32),
    reference_count bigint NOT NULL CHECK (reference_count >= 0),  -- artifacts that show it
    UNIQUE (root, sha256)
);

-- A file of a run. The row is what makes it visible.
CREATE TABLE artifact (
    run_id         uuid   NOT NULL REFERENCES run,
    path           text   COLLATE "C" NOT NULL,
    content_id     uuid   NOT NULL REFERENCES artifact_content,
    size_bytes     bigint NOT NULL,
    logged_time_ms bigint NOT NULL,
    PRIMARY KEY (run_id, path)
);

-- A file on its way.
CREATE TABLE artifact_upload (
    run_id         uuid   NOT NULL REFERENCES run,
    upload_id      uuid   NOT NULL,
    path           text   COLLATE "C" NOT NULL,
    size_bytes     bigint NOT NULL,
    sha256         bytea  NOT NULL,
    root           text   NOT NULL,
    key            text   NOT NULL,
    multipart_id   text,                       -- the bucket's name for it, when it goes there in parts
    active_time_ms bigint NOT NULL,            -- when the client last did something for it
    PRIMARY KEY (run_id, upload_id),
    UNIQUE (run_id, path, sha256, root)
);
CREATE INDEX artifact_upload_by_age ON artifact_upload (active_time_ms);

-- Bytes that nothing refers to any more; a row goes when its bytes are gone.
CREATE TABLE artifact_garbage (
    garbage_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    root         text NOT NULL,
    key          text NOT NULL,
    multipart_id text
);
