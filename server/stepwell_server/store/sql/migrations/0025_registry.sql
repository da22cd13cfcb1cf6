-- The registry of models. Drawn in store/README.md.

CREATE TABLE registered_model (
    model_number        bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                text    COLLATE "C" NOT NULL UNIQUE,
    description         text    NOT NULL,
    custom_stages       text[]  NOT NULL,
    last_version        integer NOT NULL DEFAULT 0, -- the greatest number that a version ever had
    creation_time_ms    bigint  NOT NULL,
    last_update_time_ms bigint  NOT NULL
);

CREATE TABLE registered_model_tag (
    model_number bigint NOT NULL REFERENCES registered_model ON DELETE CASCADE,
    key          text   NOT NULL,
    value        text   NOT NULL,
    PRIMARY KEY (model_number, key)
);
CREATE INDEX registered_model_tag_by_value ON registered_model_tag (key, left(value, 200), model_number);

CREATE TABLE model_version (
    version_id          bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_number        bigint  NOT NULL REFERENCES registered_model ON DELETE CASCADE,
    version             integer NOT NULL,
    stage               text    COLLATE "C" NOT NULL DEFAULT 'None',
    description         text    NOT NULL,
    source              text    NOT NULL,
    storage_uri         text    NOT NULL,
    run_id              text    COLLATE "C" NOT NULL,
    model_id            text    COLLATE "C" NOT NULL,
    run_link            text    NOT NULL,
    user_name           text    NOT NULL,
    creation_time_ms    bigint  NOT NULL,
    last_update_time_ms bigint  NOT NULL,
    UNIQUE (model_number, version)
);
CREATE INDEX model_version_by_stage ON model_version (model_number, stage, version DESC);
CREATE INDEX model_version_by_time  ON model_version (last_update_time_ms DESC, version_id);
CREATE INDEX model_version_by_run   ON model_version (run_id);
CREATE INDEX model_version_by_model ON model_version (model_id);

CREATE TABLE model_version_tag (
    version_id bigint NOT NULL REFERENCES model_version ON DELETE CASCADE,
    key        text   NOT NULL,
    value      text   NOT NULL,
    PRIMARY KEY (version_id, key)
);
CREATE INDEX model_version_tag_by_value ON model_version_tag (key, left(value, 200), version_id);

CREATE TABLE model_alias (
    model_number bigint NOT NULL REFERENCES registered_model ON DELETE CASCADE,
    alias        text   COLLATE "C" NOT NULL,
    version_id   bigint NOT NULL REFERENCES model_version ON DELETE CASCADE,
    PRIMARY KEY (model_number, alias)
);
CREATE INDEX model_alias_by_version ON model_alias (version_id);

-- Who changed what, when and why. It outlives what it tells of, so nothing is referred to; numbers are in the order of
-- the commits (see store/registry/journal.py).
CREATE TABLE registry_change (
    change_number bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time_ms       bigint  NOT NULL,
    kind          text    NOT NULL,
    model_number  bigint  NOT NULL,
    model_name    text    NOT NULL,
    version       integer NOT NULL, -- 0: of the model
    key           text    NOT NULL, -- an alias or a tag
    value_before  text    NOT NULL,
    value_after   text    NOT NULL,
    user_name     text    NOT NULL,
    comment       text    NOT NULL
);
CREATE INDEX registry_change_by_model   ON registry_change (model_number, change_number);
CREATE INDEX registry_change_of_deleted ON registry_change (model_name, change_number) WHERE kind = 'model_deleted';

-- Versions and registered models with what belongs to them, also for people with SQL.
CREATE VIEW model_versions AS
SELECT registered_model.name, model_version.*,
       (SELECT jsonb_object_agg(key, value) FROM model_version_tag AS tag
        WHERE tag.version_id = model_version.version_id)   AS tags,
       (SELECT array_agg(alias ORDER BY alias) FROM model_alias
        WHERE model_alias.version_id = model_version.version_id) AS aliases
FROM model_version
JOIN registered_model USING (model_number);

CREATE VIEW registered_models AS
SELECT registered_model.*,
       (SELECT jsonb_object_agg(key, value) FROM registered_model_tag AS tag
        WHERE tag.model_number = registered_model.model_number) AS tags,
       (SELECT jsonb_object_agg(model_alias.alias, model_version.version)
        FROM model_alias JOIN model_version USING (version_id)
        WHERE model_alias.model_number = registered_model.model_number) AS aliases
FROM registered_model;
