-- Removing deleted runs for good (`stepwell gc`) takes many steps; a run that lost its first point cannot be restored.
ALTER TABLE run ADD COLUMN removal_began_ms bigint;
ALTER TABLE run ADD CONSTRAINT run_removal CHECK (removal_began_ms IS NULL OR lifecycle_stage = 'deleted');
