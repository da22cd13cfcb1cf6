-- Who may call, and what they may do. Times by the database's clock, in milliseconds since the epoch.

CREATE TABLE account (
    account_id        bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name              text    NOT NULL UNIQUE,
    kind              text    NOT NULL CHECK (kind IN ('user', 'service')),
    is_admin          boolean NOT NULL DEFAULT false,
    is_active         boolean NOT NULL DEFAULT true,
    password_hash     text,              -- argon2; NULL: nobody comes in by a password
    subject           text    UNIQUE,    -- who it is where it signed on (issuer and subject); NULL: made here
    created_time_ms   bigint  NOT NULL DEFAULT (extract(epoch FROM now()) * 1000)::bigint,
    last_used_time_ms bigint
);

CREATE TABLE account_group (
    group_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text   NOT NULL UNIQUE,
    created_time_ms bigint NOT NULL DEFAULT (extract(epoch FROM now()) * 1000)::bigint
);

CREATE TABLE group_member (
    group_id     bigint  NOT NULL REFERENCES account_group ON DELETE CASCADE,
    account_id   bigint  NOT NULL REFERENCES account ON DELETE CASCADE,
    by_provider  boolean NOT NULL DEFAULT false,  -- single sign-on says so, and takes it back
    PRIMARY KEY (group_id, account_id)
);
CREATE INDEX group_member_account ON group_member (account_id);

CREATE TABLE access_token (
    token_id          bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id        bigint   NOT NULL REFERENCES account ON DELETE CASCADE,
    name              text     NOT NULL,
    sha256            bytea    NOT NULL UNIQUE,
    hint              text     NOT NULL,  -- how the secret begins
    scope             smallint NOT NULL CHECK (scope BETWEEN 1 AND 3),  -- read, write, admin
    experiment_ids    bigint[],           -- NULL: no limit
    created_time_ms   bigint   NOT NULL DEFAULT (extract(epoch FROM now()) * 1000)::bigint,
    expires_time_ms   bigint,
    last_used_time_ms bigint,
    revoked_time_ms   bigint
);
CREATE INDEX access_token_account ON access_token (account_id);

-- Neither an account nor a group: everybody. The level: 0 none, 1 read, 2 write, 3 manage.
CREATE TABLE access_grant (
    grant_id      bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    bigint   REFERENCES account ON DELETE CASCADE,
    group_id      bigint   REFERENCES account_group ON DELETE CASCADE,
    experiment_id bigint   REFERENCES experiment ON DELETE CASCADE,
    model_number  bigint   REFERENCES registered_model ON DELETE CASCADE,
    level         smallint NOT NULL CHECK (level BETWEEN 0 AND 3),
    CHECK (num_nonnulls(account_id, group_id) <= 1),
    CHECK (num_nonnulls(experiment_id, model_number) = 1)
);
CREATE UNIQUE INDEX access_grant_once ON access_grant (
    coalesce(account_id, 0), coalesce(group_id, 0), coalesce(experiment_id, -1), coalesce(model_number, -1)
);
CREATE INDEX access_grant_experiment ON access_grant (experiment_id) WHERE experiment_id IS NOT NULL;
CREATE INDEX access_grant_model ON access_grant (model_number) WHERE model_number IS NOT NULL;

-- One row: what everybody may do where no grant says anything.
CREATE TABLE access_default (
    is_only boolean  PRIMARY KEY DEFAULT true CHECK (is_only),
    level   smallint NOT NULL CHECK (level BETWEEN 0 AND 3)
);
INSERT INTO access_default (level) VALUES (1);

-- What outlives accounts, so it has their names.
CREATE TABLE audit_entry (
    audit_number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time_ms      bigint NOT NULL DEFAULT (extract(epoch FROM now()) * 1000)::bigint,
    account      text   NOT NULL,
    action       text   NOT NULL,
    subject      text   NOT NULL,
    details      jsonb  NOT NULL,
    origin       text   NOT NULL
);
CREATE INDEX audit_entry_account ON audit_entry (account, audit_number);

-- Whose writer it is; 0: nobody's, as all without accounts.
ALTER TABLE writer ADD COLUMN account_id bigint NOT NULL DEFAULT 0;
