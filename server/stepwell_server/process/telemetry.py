"""What the server measures of itself, for Prometheus. docs/metrics.md explains each figure.

Whatever knows a figure sets it here; `web/metrics.py` shows them. Counting costs about a microsecond, so it is done
for each batch and each commit, never for each point.
"""

from prometheus_client import Counter, Gauge, Histogram

# Powers of four from one point to four million.
_SIZE_BUCKETS = tuple(4**power for power in range(12))
# From half a millisecond, less than any fsync, to a minute, the longest that a statement may take.
_SECONDS_BUCKETS = (
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
)

STREAMS_OPEN = Gauge("stepwell_streams_open", "Writers that are connected now.", multiprocess_mode="livesum")
UNREAD_BYTES = Gauge(
    "stepwell_unread_bytes",
    "What gRPC has taken from its connections and nobody has got.",
    multiprocess_mode="livesum",
)
CONNECTIONS_CUT = Counter(
    "stepwell_connections_cut_total", "Connections that were cut off because that was too much."
)
CALLS = Counter("stepwell_calls_total", "Calls that ended, by method and gRPC status.", ["method", "status"])
CALL_SECONDS = Histogram(
    "stepwell_call_seconds", "How long calls took (streams: were open).", ["method"], buckets=_SECONDS_BUCKETS
)
HTTP_REQUESTS = Counter(
    "stepwell_http_requests_total", "HTTP requests that ended.", ["method", "route", "status"]
)
HTTP_SECONDS = Histogram(
    "stepwell_http_request_seconds", "How long HTTP requests took.", ["route"], buckets=_SECONDS_BUCKETS
)

TLS_EXPIRES = Gauge(
    "stepwell_tls_certificate_expires_seconds",
    "When the server's certificate expires, in seconds since 1970.",
    multiprocess_mode="livemin",
)

BATCH_POINTS = Histogram("stepwell_batch_points", "Points in a batch as it arrived.", buckets=_SIZE_BUCKETS)
QUEUE_BYTES = Gauge(
    "stepwell_queue_bytes", "What waits for its commit or is in it.", multiprocess_mode="livesum"
)
QUEUE_BATCHES = Gauge(
    "stepwell_queue_batches", "Batches that wait for their commit or are in it.", multiprocess_mode="livesum"
)
LAG_SECONDS = Histogram(
    "stepwell_commit_lag_seconds", "From the arrival of a batch to its outcome.", buckets=_SECONDS_BUCKETS
)

COMMIT_SECONDS = Histogram(
    "stepwell_commit_seconds", "Preparing a group of batches and committing it.", buckets=_SECONDS_BUCKETS
)
COMMIT_BATCHES = Histogram(
    "stepwell_commit_batches", "Batches in one committing transaction.", buckets=_SIZE_BUCKETS
)
COMMITS_FAILED = Counter("stepwell_commits_failed_total", "Transactions that failed, tried again or not.")
POINTS_COMMITTED = Counter("stepwell_points_committed_total", "Points that became durable.")
ENTRIES_COMMITTED = Counter(
    "stepwell_entries_committed_total", "Params, tags and statuses that became durable."
)
CHUNKS_COMMITTED = Counter("stepwell_chunks_committed_total", "Chunk rows that were written by commits.")
REJECTED = Counter("stepwell_rejected_total", "Points and entries that were refused and reported.")
NOT_JOINED = Counter("stepwell_batches_not_joined_total", "Batches that were repeats or came after a gap.")

COMPACTION_DEBT = Gauge(
    "stepwell_compaction_debt_chunks",
    "Small chunks that the last rounds of compaction, in all servers, left for later ones.",
    multiprocess_mode="mostrecent",
)
COMPACTION_BEHIND = Gauge(
    "stepwell_compaction_behind_seconds",
    "Since the last round of compaction of the range of runs that waits longest.",
    multiprocess_mode="mostrecent",
)
COMMIT_PACE = Gauge(
    "stepwell_commit_pace_seconds",
    "How long commits of few points wait for each other: longer where compaction is behind.",
    multiprocess_mode="livemax",
)
COMPACTION_CHUNKS = Counter("stepwell_compaction_chunks_total", "Small chunks that were merged.")
COMPACTION_POINTS = Counter("stepwell_compaction_points_total", "Points in chunks that were merged.")
COMPACTION_SECONDS = Histogram(
    "stepwell_compaction_seconds", "Time of one transaction of merges.", buckets=_SECONDS_BUCKETS
)

DISK_BYTES = Gauge(
    "stepwell_disk_bytes", "The disk of the server's data folder.", multiprocess_mode="mostrecent"
)
DISK_FREE_BYTES = Gauge(
    "stepwell_disk_free_bytes", "What is free on that disk.", multiprocess_mode="mostrecent"
)
DATABASE_BYTES = Gauge(
    "stepwell_database_bytes", "What the database takes on its disk.", multiprocess_mode="mostrecent"
)
ARTIFACT_BYTES = Gauge(
    "stepwell_artifact_bytes",
    "What artifacts take, equal ones once, wherever they are.",
    multiprocess_mode="mostrecent",
)
