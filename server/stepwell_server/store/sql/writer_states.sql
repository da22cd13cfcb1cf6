-- writers: the first writers of a run, by rank and time; who has a lease that lasts is alive, and silent when its own
-- process gave no sign of life for $3 milliseconds
SELECT writer.writer_id, writer.rank, writer.host, writer.process_id, writer.opened_time_ms,
       writer.committed_time_ms, writer.position,
       coalesce(lease.until_ms > (extract(epoch FROM clock_timestamp()) * 1000)::bigint, false) AS is_alive,
       coalesce(lease.until_ms > (extract(epoch FROM clock_timestamp()) * 1000)::bigint, false)
           AND coalesce(lease.seen_time_ms, 0) < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $3::bigint
           AS is_silent,
       lease.seen_time_ms, writer.hidden_from_step,
       CASE WHEN writer.hidden_from_step IS NULL THEN 0 ELSE (
           SELECT coalesce(sum(chunk.count), 0)::bigint
           FROM metric_chunk AS chunk
           WHERE chunk.run_id = $1 AND chunk.writer_id = writer.writer_id
             AND chunk.step_max >= writer.hidden_from_step
       ) END AS hidden_points_max
FROM writer
LEFT JOIN writer_lease AS lease ON lease.run_id = writer.run_id AND lease.writer_id = writer.writer_id
WHERE writer.run_id = $1
ORDER BY writer.rank NULLS FIRST, writer.opened_time_ms, writer.writer_id
LIMIT $2;

-- count: how many writers a run has
SELECT count(*) FROM writer WHERE run_id = $1;

-- awaited: who said at most $2 milliseconds ago that it would open a stream, and has not yet
SELECT host, process_id, rank
FROM awaited_writer
WHERE run_id = $1 AND said_time_ms >= (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $2::bigint;

-- add_console: pieces of consoles; one that is there stays
INSERT INTO console_piece (run_id, writer_id, position, stream, time_ms, lines_left_out, text)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::smallint[], $5::bigint[], $6::bigint[], $7::text[])
ON CONFLICT DO NOTHING;

-- console_before: the last pieces of a run before a place, the last one first
SELECT piece.writer_id, writer.rank, piece.position, piece.stream, piece.time_ms, piece.text, piece.lines_left_out
FROM console_piece AS piece
JOIN writer ON writer.run_id = piece.run_id AND writer.writer_id = piece.writer_id
WHERE piece.run_id = $1 AND (piece.time_ms, piece.writer_id, piece.position) < ($2::bigint, $3::uuid, $4::bigint)
ORDER BY piece.time_ms DESC, piece.writer_id DESC, piece.position DESC
LIMIT $5;

-- console_after: the first pieces of a run behind the known position of each writer
SELECT piece.writer_id, writer.rank, piece.position, piece.stream, piece.time_ms, piece.text, piece.lines_left_out
FROM writer
LEFT JOIN unnest($2::uuid[], $3::bigint[]) AS known (writer_id, position) ON known.writer_id = writer.writer_id
JOIN console_piece AS piece
  ON piece.run_id = writer.run_id AND piece.writer_id = writer.writer_id
 AND piece.position > coalesce(known.position, -1)
WHERE writer.run_id = $1
ORDER BY piece.time_ms, piece.writer_id, piece.position
LIMIT $4;
