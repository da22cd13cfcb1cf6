-- try_pattern: fails when a pattern is no regular expression
SELECT '' ~ $1::text;

-- metric_ids: the numbers of names, of those that are known
SELECT name, metric_id FROM metric WHERE name = ANY ($1::text[]);
