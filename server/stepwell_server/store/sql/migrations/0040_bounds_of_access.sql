-- What everybody may cause has bounds: the audit is cut by these two, and names that look alike are found by theirs.

CREATE INDEX audit_entry_of_signing_in ON audit_entry (audit_number) WHERE starts_with(action, 'log');
CREATE INDEX audit_entry_of_the_rest ON audit_entry (audit_number) WHERE NOT starts_with(action, 'log');

-- The name as it is compared with others'. Names from before may look alike; what is added may not.
ALTER TABLE account ADD COLUMN alike text NOT NULL DEFAULT '';
ALTER TABLE account_group ADD COLUMN alike text NOT NULL DEFAULT '';
UPDATE account SET alike = lower(name);
UPDATE account_group SET alike = lower(name);
CREATE INDEX account_alike ON account (alike);
CREATE INDEX account_group_alike ON account_group (alike);
