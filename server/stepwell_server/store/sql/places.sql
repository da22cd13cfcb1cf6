-- shard: where the rows of a run lie, in a database with Citus
SELECT get_shard_id_for_distribution_column('run', $1::uuid);
