-- Who opens a writer shows the secret that its owner made: SHA-256 of it. NULL until one was shown.
ALTER TABLE writer
    ADD COLUMN secret_sha256 bytea CHECK (octet_length(secret_sha256) = 32),
    ADD COLUMN secret_is_original boolean NOT NULL DEFAULT false;
