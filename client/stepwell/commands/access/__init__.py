"""Commands for accounts, tokens, roles and the audit."""
