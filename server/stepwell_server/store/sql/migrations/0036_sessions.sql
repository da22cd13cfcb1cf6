-- Browsers that are signed in, and programs that somebody let in. Times by the database's clock, in milliseconds.

CREATE TABLE browser_session (
    sha256          bytea  PRIMARY KEY,
    account_id      bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    token_id        bigint REFERENCES access_token ON DELETE CASCADE,  -- it began with a token, and may no more
    way             text   NOT NULL CHECK (way IN ('password', 'token', 'provider')),
    created_time_ms bigint NOT NULL DEFAULT (extract(epoch FROM now()) * 1000)::bigint,
    seen_time_ms    bigint NOT NULL DEFAULT (extract(epoch FROM now()) * 1000)::bigint
);
CREATE INDEX browser_session_account ON browser_session (account_id);
CREATE INDEX browser_session_seen ON browser_session (seen_time_ms);

-- Written when somebody says yes, gone when the program takes its token.
CREATE TABLE login_code (
    code              text   PRIMARY KEY,
    account_id        bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    token_name        text   NOT NULL,
    confirmed_time_ms bigint NOT NULL DEFAULT (extract(epoch FROM now()) * 1000)::bigint
);
