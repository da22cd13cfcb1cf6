-- Which runs have a value, told by the index alone: PostgreSQL reads no index of expressions without its table. Texts
-- longer than an index takes are in one of their own, which is nearly always empty. 200 is narrowing.INDEXED_CHARS_MAX.
DROP INDEX param_by_value, tag_by_value;
CREATE INDEX param_by_value ON param (key, value COLLATE "C", run_id) WHERE length(value) <= 200;
CREATE INDEX tag_by_value   ON tag   (key, value COLLATE "C", run_id) WHERE length(value) <= 200;
CREATE INDEX param_by_start ON param (key, left(value, 200), run_id) WHERE NOT length(value) <= 200;
CREATE INDEX tag_by_start   ON tag   (key, left(value, 200), run_id) WHERE NOT length(value) <= 200;

-- The runs that used a data set.
CREATE INDEX run_input_by_dataset ON run_input (dataset_id, run_id);
