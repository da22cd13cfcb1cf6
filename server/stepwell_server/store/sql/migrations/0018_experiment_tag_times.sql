-- When a tag of an experiment was set: changes that come late, from clients that were offline, do not undo later ones.

ALTER TABLE experiment_tag ADD COLUMN set_time_ms bigint NOT NULL DEFAULT 0;
