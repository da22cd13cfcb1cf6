"""All settings of the server, read once at the edge and never changed.

| option                | environment               | default         | unit or form                         |
|-----------------------|---------------------------|-----------------|--------------------------------------|
| `--host`              | STEPWELL_HOST             | 127.0.0.1       | name or address to listen on         |
| `--grpc-port`         | STEPWELL_GRPC_PORT        | 50051           | TCP port; 0 takes any free one       |
| `--data`              | STEPWELL_DATA             | ./stepwell-data | folder of the embedded PostgreSQL    |
| `--store`             | STEPWELL_STORE            | (embedded)      | postgresql://user:password@host/name |
| `--artifacts`         | STEPWELL_ARTIFACTS        | (in `--data`)   | folder, s3://…, gs://… or az://…     |
| `--artifact-folder`   | STEPWELL_ARTIFACT_FOLDER  | (none)          | folders that experiments may name    |
| `--artifact-bucket`   | STEPWELL_ARTIFACT_BUCKET  | (none)          | buckets that experiments may name    |
| `--artifact-address`  | STEPWELL_ARTIFACT_ADDRESS | 600             | seconds that presigned ones are valid|
| `--artifact-idle`     | STEPWELL_ARTIFACT_IDLE    | 86400           | seconds until an upload is given up  |
| `--log-format`        | STEPWELL_LOG_FORMAT       | by the terminal | text or json                         |
| `--log-level`         | STEPWELL_LOG_LEVEL        | info            | debug, info, warning or error        |
| `--shutdown-grace`    | STEPWELL_SHUTDOWN_GRACE   | 10              | seconds                              |
| `--workers`           | STEPWELL_WORKERS          | 1               | processes that share the port        |
| `--metrics-port`      | STEPWELL_METRICS_PORT     | (no page)       | TCP port; 0 takes any free one       |
| `--metrics-host`      | STEPWELL_METRICS_HOST     | 127.0.0.1       | name or address of the metrics page  |
| `--http-host`         | STEPWELL_HTTP_HOST        | as `--host`     | name or address of the HTTP door     |
| `--port`              | STEPWELL_PORT             | 5000            | TCP port of HTTP; 0 takes a free one |
| `--no-http`           | STEPWELL_NO_HTTP          | false           | gRPC alone                           |
| `--advertise-grpc`    | STEPWELL_ADVERTISE_GRPC   | host and port   | HOST:PORT that clients are told      |
| `--allowed-hosts`     | STEPWELL_ALLOWED_HOSTS    | (see the door)  | names of this server, with commas    |
| `--allowed-origins`   | STEPWELL_ALLOWED_ORIGINS  | (none)          | pages of others, with commas         |
| `--static-prefix`     | STEPWELL_STATIC_PREFIX    | (none)          | /path below which all is served      |
| `--webhook-hosts`     | STEPWELL_WEBHOOK_HOSTS    | (none)          | hosts that webhooks may name         |
| `--lost-after`        | STEPWELL_LOST_AFTER       | 600             | seconds; 0 means never               |
| `--artifact-quota`    | STEPWELL_ARTIFACT_QUOTA   | 0 (no limit)    | GiB of all artifacts together        |
| `--artifact-run-quota`| STEPWELL_ARTIFACT_RUN_QUOTA| 0 (no limit)   | GiB of one run's artifacts           |
| `--artifact-experiment-quota`| STEPWELL_ARTIFACT_EXPERIMENT_QUOTA| 0 (no limit)| GiB of one experiment's|
| `--caller-calls`      | STEPWELL_CALLER_CALLS     | 2000            | calls of one account in a second     |
| `--caller-points`     | STEPWELL_CALLER_POINTS    | 10000000        | points of one account in a second    |
| `--caller-searching`  | STEPWELL_CALLER_SEARCHING | 10              | seconds of searches in a second      |
| `--caller-streams`    | STEPWELL_CALLER_STREAMS   | 1000            | streams of one account at once       |
| `--disk-reserve`      | STEPWELL_DISK_RESERVE     | 1               | GiB that artifacts leave on a disk   |
| `--auth`              | STEPWELL_AUTH             | false           | callers have accounts and roles      |
| `--pooler`            | STEPWELL_POOLER           | auto            | auto, transaction or none            |
| `--listen-store`      | STEPWELL_LISTEN_STORE     | (none)          | without a pooler, or the coordinator |
| `--statement-timeout` | STEPWELL_STATEMENT_TIMEOUT| 30              | seconds of one statement             |
| `--searches`          | STEPWELL_SEARCHES         | auto            | as one PostgreSQL, or several, need  |
| `--tls-cert`          | STEPWELL_TLS_CERT         | (no TLS)        | PEM file: certificate, those above it|
| `--tls-key`           | STEPWELL_TLS_KEY          | (no TLS)        | PEM file: the certificate's key      |
| `--tls-client-ca`     | STEPWELL_TLS_CLIENT_CA    | (any client)    | PEM file: whose clients may come     |
| `--insecure`          | STEPWELL_INSECURE         | false           | whether anybody may come in          |

How people sign in with a browser: commands/sign_in_options.py.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode

HOST_DEFAULT = "127.0.0.1"  # nobody else's business until there is authentication
PORT_DEFAULT = 50051  # what gRPC examples use, so people guess it
HTTP_PORT_DEFAULT = 5000  # MLflow's, so scripts and bookmarks stay as they are
DATA_DEFAULT = Path("stepwell-data")
SHUTDOWN_GRACE_S_DEFAULT = 10.0  # what `docker stop` waits before it kills
# A run without a sign of life is FAILED after this. Clients look for their server every 15 s and dead connections are
# found within 40 s; ten minutes leave time for a restart of a machine or a switch. It is taken back in any case.
LOST_AFTER_S_DEFAULT = 600.0

# Minutes, as whoever sees an address can use it; only the begin of a transfer has to lie in them. The client asks for
# new ones when they have expired.
ARTIFACT_ADDRESS_S_DEFAULT = 600.0
ARTIFACT_ADDRESS_S_MAX = 3_600.0
# An upload for which nothing happens that long is given up. A day lets people repair a network overnight.
ARTIFACT_UPLOAD_IDLE_S_DEFAULT = 24 * 3_600.0

# What artifacts leave free on the disk that they are on, as the database may be there too: of a small disk a twentieth.
DISK_RESERVE_GIB_DEFAULT = 1.0
DISK_RESERVE_SHARE_MAX = 0.05

# A full batch of points fits with room to spare: 8 MiB / 24 bytes = 350,000 points in fixed width.
RECEIVE_BYTES_MAX = 8 * 1024 * 1024
SEND_BYTES_MAX = 8 * 1024 * 1024
# What a stream of gRPC may send before it is read. gRPC's own estimate of what the way holds grows to tens of megabytes
# where machines are busy, for each stream; 2 MiB are 40 MB/s at 50 ms to the other side.
STREAM_WINDOW_BYTES = 2 * 2**20

POOL_CONNECTIONS_MAX = 10  # two cores are busy with four; the rest is for slow readers
# Connections that commits and the opening of writers have for themselves: two lanes with one under way and one being
# made ready each, and two for those that come.
INGEST_CONNECTIONS_MAX = 6
# Those of compaction and the removal of what nobody needs: what callers may take does not end them.
UPKEEP_CONNECTIONS_MAX = 3
POOL_CONNECTIONS_MIN = 0  # made when needed; an idle server holds none
EMBEDDED_CONNECTIONS_MIN = 50  # the pool, migrations, and people with psql
WORKERS_MAX = 64  # more than the cores of most machines

CONNECT_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 60.0
# What a statement other than a commit may take; a page of a search takes milliseconds, of millions of runs a second.
SEARCH_FORMS = ("auto", "single", "distributed")
STATEMENT_TIMEOUT_S_DEFAULT = 30.0
# What a statement of upkeep may take; its steps are bounded, but a slow disk may need long for one.
UPKEEP_TIMEOUT_S = 600.0

# Whether --store leads to a transaction pooler, as PgBouncer; auto looks.
PoolerOption: TypeAlias = Literal["auto", "transaction", "none"]

_PASSWORD = re.compile(r"(password=)[^&]*", re.IGNORECASE)

assert POOL_CONNECTIONS_MIN <= POOL_CONNECTIONS_MAX
assert POOL_CONNECTIONS_MAX + INGEST_CONNECTIONS_MAX + UPKEEP_CONNECTIONS_MAX + 10 <= EMBEDDED_CONNECTIONS_MIN
assert CONNECT_TIMEOUT_S < STATEMENT_TIMEOUT_S_DEFAULT < COMMAND_TIMEOUT_S < UPKEEP_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What one HTTP client, and all of them together, may take. Routes that stream files lift `body_bytes_max`."""

    # The whole body of a call: MLflow's clients send 1 MB at most in one log-batch.
    body_bytes_max: int = 16 * 2**20
    # The request line and all headers; browsers and proxies stay below 8 KiB.
    head_bytes_max: int = 64 * 2**10
    # From the first byte of a request, or the connection, to the end of its headers.
    head_s: float = 15.0
    # How long a connection may stay open without a request.
    idle_s: float = 75.0
    # A body, and the reading of an answer, may be so slow; and so long nothing may come at all.
    bytes_per_s_min: int = 256
    stall_s: float = 30.0
    # Per process. Past them, new ones are refused with 503, which clients try again; but first connections give way
    # on which nothing is under way.
    connections_max: int = 1_000
    requests_max: int = 400
    # Of these, those that need nobody who is known: the page's files, and signing in.
    open_requests_max: int = 100
    # And those of one account, where there are accounts; so one that reads many files slowly keeps nobody out.
    caller_requests_max: int = 200
    # Connections that have not greeted yet, over TLS. Past this, the one that waits longest is closed.
    handshakes_max: int = 250

    def __post_init__(self) -> None:
        assert self.head_bytes_max <= self.body_bytes_max
        assert self.requests_max <= self.connections_max


@dataclass(frozen=True, slots=True)
class HoldingLimits:
    """What the server holds for callers; docs/limits.md names them for users."""

    # Of all callers together, and of one address.
    bytes_max: int = 256 * 2**20
    peer_bytes_max: int = 192 * 2**20
    # In line, of all callers, of one address, and of those with messages in their hands; and for how long.
    waiting_max: int = 1_000
    peer_waiting_max: int = 750
    waiting_bytes_max: int = 48 * 2**20
    wait_s: float = 10.0
    # Calls under way, of all callers and of one address.
    calls_max: int = 4_000
    peer_calls_max: int = 3_000
    # Of what gRPC has taken from all connections and nobody has got: parts of messages, and streams' windows.
    unread_bytes_max: int = 512 * 2**20
    # Of gRPC, in a process; each takes some 50 KB. Past them some are cut off, of the address that has most.
    connections_max: int = 5_000

    def __post_init__(self) -> None:
        assert self.peer_bytes_max <= self.bytes_max
        assert self.peer_calls_max <= self.calls_max
        assert self.peer_waiting_max <= self.waiting_max


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """What one account may do, in each process of the server; 0 is no limit.

    `searching` is how many seconds of searches may come in a second: how many run at once, on the whole.
    """

    calls_per_s: float = 0.0
    points_per_s: float = 0.0
    searching: float = 0.0
    streams_max: int = 0


# Where there are accounts. Far above what people, and jobs of a hundred processes, come to.
CALLER_LIMITS_DEFAULT = CallerLimits(
    calls_per_s=2_000, points_per_s=10_000_000, searching=10, streams_max=1_000
)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the PEM files are. With `client_ca`, clients have to show a certificate that it has signed."""

    certificate: str
    key: str
    client_ca: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """An OpenID Connect provider, and what of its claims means what."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    name: str = ""  # on the button; "" for the host of the issuer
    scopes: Sequence[str] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    groups_claim: str = ""  # "" leaves groups to the admins here
    admin_groups: Sequence[str] = ()  # of the provider; whoever is in one is an admin
    domains: Sequence[str] = ()  # of verified e-mail addresses; none for all


@dataclass(frozen=True, slots=True)
class SignInConfig:
    """How people sign in with a browser, where the server knows accounts."""

    provider: ProviderConfig | None = None
    # A header of proxies that vouch for a user, and the networks of these proxies, who are believed also from where
    # requests come (X-Forwarded-For).
    user_header: str = ""
    proxies: Sequence[str] = ()
    # Where browsers find the server, https://tracker.example.org/path; "" for whatever they ask it by.
    public_url: str = ""
    # A session ends after so long without a request, and so long after it began.
    session_idle_s: float = 7 * 86_400.0
    session_s_max: float = 30 * 86_400.0

    def __post_init__(self) -> None:
        assert 0 < self.session_idle_s <= self.session_s_max


@dataclass(frozen=True, slots=True)
class Config:
    """How one server runs. `store` is a PostgreSQL URL, or None for the embedded PostgreSQL in `data`."""

    host: str = HOST_DEFAULT
    port: int = PORT_DEFAULT
    data: Path = DATA_DEFAULT
    store: str | None = field(default=None, repr=False)  # may hold a password
    pooler: PoolerOption = "auto"
    # Where `store` leads to a pooler: the database itself, for the one connection that listens.
    listen_store: str | None = field(default=None, repr=False)
    shutdown_grace_s: float = SHUTDOWN_GRACE_S_DEFAULT
    lost_after_s: float = LOST_AFTER_S_DEFAULT
    statement_timeout_s: float = STATEMENT_TIMEOUT_S_DEFAULT
    searches: str = "auto"  # one of SEARCH_FORMS
    artifacts: str | None = None  # a folder, s3://bucket/prefix or the like; None: `artifacts` in `data`
    artifact_folders: Sequence[str] = ()  # where experiments may have locations of their own
    artifact_buckets: Sequence[str] = ()  # the same elsewhere: s3://bucket/prefix, gs://…, az://…
    artifact_address_s: float = ARTIFACT_ADDRESS_S_DEFAULT
    artifact_upload_idle_s: float = ARTIFACT_UPLOAD_IDLE_S_DEFAULT
    # In GiB; 0 is no limit.
    artifact_quota_gib: float = 0.0
    artifact_experiment_quota_gib: float = 0.0
    artifact_run_quota_gib: float = 0.0
    disk_reserve_gib: float = DISK_RESERVE_GIB_DEFAULT
    # False only for tests: then a power cut may lose what was acknowledged.
    embedded_fsync: bool = True
    # The page for Prometheus (docs/metrics.md); None for none.
    metrics_port: int | None = None
    metrics_host: str = HOST_DEFAULT
    # The HTTP door; None for none. Its host is `host` unless another is named.
    http_port: int | None = None
    http_host: str | None = None
    advertise_grpc: str | None = None  # HOST:PORT, or grpcs://HOST:PORT where a proxy speaks TLS
    allowed_hosts: Sequence[str] = ()
    allowed_origins: Sequence[str] = ()
    static_prefix: str = ""
    tls: TlsFiles | None = None  # for gRPC and HTTP
    # Whether everybody who reaches the server may read and change everything, beyond this machine too.
    insecure: bool = False
    # Where webhooks may go: HOST, HOST:PORT, *.DOMAIN, or * for anywhere.
    webhook_hosts: Sequence[str] = ()
    sign_in: SignInConfig = field(default_factory=SignInConfig)
    http_limits: HttpLimits = field(default_factory=HttpLimits)
    holding_limits: HoldingLimits = field(default_factory=HoldingLimits)
    caller_limits: CallerLimits = field(default_factory=CallerLimits)  # where there are accounts
    auth: bool = False
    workers: int = 1
    # Whether other processes of ours may listen on the same port: that of a worker.
    shares_port: bool = False
    log_format: Literal["text", "json"] | None = None
    log_level: str = "info"

    def __post_init__(self) -> None:
        assert 0 <= self.port <= 65_535
        assert 1 <= self.workers <= WORKERS_MAX
        assert self.metrics_port is None or 0 <= self.metrics_port <= 65_535
        assert self.http_port is None or 0 <= self.http_port <= 65_535
        assert self.shutdown_grace_s > 0
        assert self.lost_after_s >= 0
        assert 0 < self.statement_timeout_s <= COMMAND_TIMEOUT_S
        assert self.searches in SEARCH_FORMS
        assert 1 <= self.artifact_address_s <= ARTIFACT_ADDRESS_S_MAX
        assert self.artifact_upload_idle_s > 0
        assert min(self.artifact_quota_gib, self.artifact_run_quota_gib, self.disk_reserve_gib) >= 0
        assert self.artifact_experiment_quota_gib >= 0


def url_host(host: str) -> str:
    """Return how a host is written in a URL that this machine can use: wildcards are its loopback address."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}.get(host, host)  # noqa: S104 - only compared
    return host_and_port(reachable, 0).removesuffix(":0")


def host_and_port(host: str, port: int) -> str:
    """Return them as one text; an address of IPv6 stands in brackets."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def embedded_connections(workers: int) -> int:
    """Return how many connections the embedded PostgreSQL takes: every worker's pools, and some for people."""
    return max(EMBEDDED_CONNECTIONS_MIN, workers * worker_connections() + 20)


def worker_connections() -> int:
    """Return how many connections the pools of a worker hold at most."""
    return POOL_CONNECTIONS_MAX + INGEST_CONNECTIONS_MAX + UPKEEP_CONNECTIONS_MAX


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """Tell whether a host is an IP address, and not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def without_password(url: str) -> str:
    """Return a store URL that may be shown: the password is replaced by `***`, also in the query.

    Of a URL that is none, because its password has characters that had to be encoded, rather too much is replaced.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "***"
    login, at, address = rest.rpartition("@")
    name, colon, _ = login.partition(":")
    address, mark, query = address.partition("?")
    pairs = [(key, "***" if _is_secret(key) else value) for key, value in parse_qsl(query)]
    shown = f"{scheme}://{name}{':***' if colon else ''}{at}{address}{mark}{urlencode(pairs, safe='*/')}"
    return _PASSWORD.sub(r"\1***", shown)


def _is_secret(key: str) -> bool:
    return "password" in key.lower()
