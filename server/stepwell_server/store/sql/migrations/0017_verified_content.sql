-- Content that was verified: what has been stored is what its SHA-256 says. Only such content is shown again instead of being
-- sent; of other content, the next bytes with this SHA-256 take the place. Straight to a bucket the client's word was
-- believed, and servers before this one did not note which way content came.
ALTER TABLE artifact_content ADD COLUMN is_verified boolean NOT NULL DEFAULT true;
UPDATE artifact_content SET is_verified = false WHERE root LIKE 's3:%';

ALTER TABLE artifact_upload
    ADD COLUMN direct_key text,                               -- where parts go that are sent straight to the bucket
    ADD COLUMN came_through boolean NOT NULL DEFAULT false;   -- bytes were sent through the server, to `key`
