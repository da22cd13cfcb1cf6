-- What a round of compaction remembers of a range's writers, for another process that does the next one. Drawn in
-- store/README.md.
ALTER TABLE compaction_range ADD COLUMN settling bytea;
