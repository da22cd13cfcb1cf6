-- Who removes a row has PostgreSQL look for those that refer to it, at each: without these, at all rows of a table, or of a run.

CREATE INDEX histogram_writer ON histogram (run_id, writer_id);
CREATE INDEX rewind_writer ON rewind (run_id, writer_id);
CREATE INDEX access_grant_account ON access_grant (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX access_grant_group ON access_grant (group_id) WHERE group_id IS NOT NULL;
CREATE INDEX browser_session_token ON browser_session (token_id) WHERE token_id IS NOT NULL;
CREATE INDEX login_code_account ON login_code (account_id);
