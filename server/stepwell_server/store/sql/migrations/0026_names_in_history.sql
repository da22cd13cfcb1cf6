-- The history of a registered model is found by every name that it had, not only by the one under which it was deleted.
DROP INDEX registry_change_of_deleted;
CREATE INDEX registry_change_by_name ON registry_change (model_name, change_number);
