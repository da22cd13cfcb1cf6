-- try_pattern: fails when a pattern is no regular expression
SELECT '' ~ $1::text;
