"""The command `stepwell server`."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import click

from stepwell_server import config as defaults
from stepwell_server.commands import caller_options, exposure, server_options
from stepwell_server.commands.options import Folder, store_url
from stepwell_server.commands.sign_in_options import sign_in_options
from stepwell_server.config import (
    CallerLimits,
    Config,
    PoolerOption,
    SignInConfig,
    TlsFiles,
    is_loopback,
    without_password,
)
from stepwell_server.errors import StepwellError
from stepwell_server.process.logger import get_logger
from stepwell_server.process.logs import LogFormat, set_up_logs
from stepwell_server.process.signals import stop_on_signals
from stepwell_server.running import RunningServer
from stepwell_server.store.content.kinds import kind_of
from stepwell_server.store.content.locations import artifact_locations

log = get_logger(__name__)


@click.command(
    context_settings={"show_default": True},
    epilog="Each option is also an environment variable: --grpc-port is STEPWELL_GRPC_PORT.",
)
@click.option(
    "--host",
    envvar="STEPWELL_HOST",
    default=defaults.HOST_DEFAULT,
    help="Name or address to listen on.",
)
@click.option(
    "--port",
    "-p",
    envvar="STEPWELL_PORT",
    type=click.IntRange(0, 65_535),
    show_default=str(defaults.HTTP_PORT_DEFAULT),
    help="TCP port of the one address that people use; 0 takes any free one.",
)
@click.option(
    "--grpc-port",
    envvar="STEPWELL_GRPC_PORT",
    type=click.IntRange(0, 65_535),
    show_default=str(defaults.PORT_DEFAULT),
    help="TCP port of gRPC; 0 takes any free one.",
)
@click.option(
    "--http-port",
    envvar="STEPWELL_HTTP_PORT",
    type=click.IntRange(0, 65_535),
    help="TCP port of HTTP, where --port is to be gRPC's; not with --no-http, where it is so, too.",
)
@click.option(
    "--http-host",
    envvar="STEPWELL_HTTP_HOST",
    help="Name or address that HTTP listens on.  [default: that of --host]",
)
@click.option("--no-http", envvar="STEPWELL_NO_HTTP", is_flag=True, help="Serve gRPC alone.")
@click.option(
    "--advertise-grpc",
    envvar="STEPWELL_ADVERTISE_GRPC",
    metavar="HOST:PORT",
    callback=server_options.host_with_port,
    help="Where clients that know the HTTP address find gRPC; for proxies and containers.",
)
@click.option(
    "--allowed-hosts",
    envvar="STEPWELL_ALLOWED_HOSTS",
    metavar="NAMES",
    callback=server_options.hosts,
    help="Further names of this server, separated by commas; *.example.org for all below, * for any.",
)
@click.option(
    "--allowed-origins",
    "--cors-allowed-origins",
    envvar="STEPWELL_ALLOWED_ORIGINS",
    metavar="ORIGINS",
    callback=server_options.origins,
    help="Pages of other servers that may call this one, like https://notebooks.example.org, separated by commas.",
)
@click.option(
    "--webhook-hosts",
    envvar="STEPWELL_WEBHOOK_HOSTS",
    metavar="HOSTS",
    callback=server_options.hosts,
    help="Where webhooks may go, separated by commas: HOST, HOST:PORT, *.example.org, or * for anywhere.",
)
@click.option(
    "--static-prefix",
    envvar="STEPWELL_STATIC_PREFIX",
    metavar="/PATH",
    callback=server_options.prefix,
    help="Path below which everything is served over HTTP, for a proxy that passes it on.",
)
@click.option(
    "--data",
    envvar="STEPWELL_DATA",
    default=defaults.DATA_DEFAULT,
    type=Folder(),
    help="Folder of the embedded PostgreSQL.",
)
@click.option(
    "--store",
    "--backend-store-uri",
    envvar="STEPWELL_STORE",
    metavar="URL",
    callback=store_url,
    help="postgresql://user:password@host/database of your own PostgreSQL, version 14 or later.",
)
@server_options.pooler_options
@click.option(
    "--artifacts",
    "--artifacts-destination",
    envvar="STEPWELL_ARTIFACTS",
    metavar="FOLDER|s3://…|gs://…|az://…|sftp://…",
    callback=server_options.artifacts_place,
    help="Where artifacts go.  [default: the folder artifacts in --data]",
)
@click.option(
    "--default-artifact-root",
    envvar="STEPWELL_DEFAULT_ARTIFACT_ROOT",
    metavar="FOLDER|s3://…|gs://…|az://…|sftp://…",
    callback=server_options.artifacts_place,
    help="Where artifacts go instead, and experiments may name --artifacts.  [default: --artifacts]",
)
@click.option(
    "--artifact-folder",
    "artifact_folders",
    envvar="STEPWELL_ARTIFACT_FOLDER",
    multiple=True,
    type=click.Path(file_okay=False),
    help="A folder in which experiments may have artifact locations of their own (file:///…); may be repeated.",
)
@click.option(
    "--artifact-bucket",
    "artifact_buckets",
    envvar="STEPWELL_ARTIFACT_BUCKET",
    metavar="s3://…|gs://…|az://…|sftp://…",
    multiple=True,
    help="A place below which experiments may have artifact locations of their own; may be repeated.",
)
@click.option(
    "--artifact-address",
    envvar="STEPWELL_ARTIFACT_ADDRESS",
    default=defaults.ARTIFACT_ADDRESS_S_DEFAULT,
    type=click.FloatRange(1, defaults.ARTIFACT_ADDRESS_S_MAX),
    help="Seconds that a presigned address of the bucket is valid.",
)
@click.option(
    "--artifact-idle",
    envvar="STEPWELL_ARTIFACT_IDLE",
    default=defaults.ARTIFACT_UPLOAD_IDLE_S_DEFAULT,
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds without progress after which an unfinished upload is given up and removed.",
)
@click.option(
    "--artifact-quota",
    envvar="STEPWELL_ARTIFACT_QUOTA",
    default=0.0,
    type=click.FloatRange(min=0),
    help="GiB that all artifacts may have together; 0 is no limit.",
)
@click.option(
    "--artifact-run-quota",
    envvar="STEPWELL_ARTIFACT_RUN_QUOTA",
    default=0.0,
    type=click.FloatRange(min=0),
    help="GiB that the artifacts of one run may have; 0 is no limit.",
)
@click.option(
    "--artifact-experiment-quota",
    envvar="STEPWELL_ARTIFACT_EXPERIMENT_QUOTA",
    default=0.0,
    type=click.FloatRange(min=0),
    help="GiB that the artifacts of one experiment may have; 0 is no limit.",
)
@click.option(
    "--disk-reserve",
    envvar="STEPWELL_DISK_RESERVE",
    default=defaults.DISK_RESERVE_GIB_DEFAULT,
    type=click.FloatRange(min=0),
    help="GiB that artifacts leave free on their disk, for the database; of a small disk a twentieth.",
)
@click.option(
    "--log-format",
    envvar="STEPWELL_LOG_FORMAT",
    type=click.Choice(["text", "json"]),
    help="Default: text on a terminal, else json.",
)
@click.option(
    "--log-level",
    envvar="STEPWELL_LOG_LEVEL",
    default="info",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="The least that is logged.",
)
@click.option(
    "--shutdown-grace",
    envvar="STEPWELL_SHUTDOWN_GRACE",
    default=defaults.SHUTDOWN_GRACE_S_DEFAULT,
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds to finish what was received when told to stop.",
)
@click.option(
    "--workers",
    "-w",
    envvar="STEPWELL_WORKERS",
    default=1,
    type=click.IntRange(1, defaults.WORKERS_MAX),
    help="Processes that share the port; one keeps about one core busy.",
)
@click.option(
    "--metrics-port",
    envvar="STEPWELL_METRICS_PORT",
    type=click.IntRange(0, 65_535),
    help="TCP port of one more page of figures for Prometheus, beside /metrics; 0 takes any free one.",
)
@click.option(
    "--metrics-host",
    envvar="STEPWELL_METRICS_HOST",
    default=defaults.HOST_DEFAULT,
    help="Name or address that the page of figures listens on.",
)
@click.option(
    "--auth",
    envvar="STEPWELL_AUTH",
    is_flag=True,
    help="Callers say who they are (accounts, tokens), and may do what was granted to them.",
)
@caller_options.caller_options
@exposure.exposure_options
@server_options.options_of_mlflow
@sign_in_options
@click.option(
    "--lost-after",
    envvar="STEPWELL_LOST_AFTER",
    default=defaults.LOST_AFTER_S_DEFAULT,
    type=click.FloatRange(min=0),
    help="Seconds without a sign of life after which a run counts as lost; 0 means never.",
)
@click.option(
    "--statement-timeout",
    envvar="STEPWELL_STATEMENT_TIMEOUT",
    default=defaults.STATEMENT_TIMEOUT_S_DEFAULT,
    type=click.FloatRange(0, defaults.COMMAND_TIMEOUT_S, min_open=True),
    help="Seconds that a search, or any statement but a commit, may take in the database.",
)
@click.option(
    "--searches",
    envvar="STEPWELL_SEARCHES",
    default="auto",
    type=click.Choice(defaults.SEARCH_FORMS),
    help="The form of searches and other statements: of one PostgreSQL, or a distributed one; auto asks the database.",
)
def server(
    host: str,
    port: int | None,
    grpc_port: int | None,
    data: Path,
    store: str | None,
    pooler: PoolerOption,
    listen_store: str | None,
    artifacts: str | None,
    default_artifact_root: str | None,
    artifact_folders: tuple[str, ...],
    artifact_buckets: tuple[str, ...],
    artifact_address: float,
    artifact_idle: float,
    artifact_quota: float,
    artifact_run_quota: float,
    artifact_experiment_quota: float,
    disk_reserve: float,
    log_format: LogFormat | None,
    log_level: str,
    shutdown_grace: float,
    workers: int,
    metrics_port: int | None,
    metrics_host: str,
    http_port: int | None,
    http_host: str | None,
    no_http: bool,
    auth: bool,
    sign_in: SignInConfig,
    advertise_grpc: str | None,
    allowed_hosts: tuple[str, ...],
    allowed_origins: tuple[str, ...],
    webhook_hosts: tuple[str, ...],
    static_prefix: str,
    lost_after: float,
    statement_timeout: float,
    searches: str,
    caller_limits: CallerLimits,
    tls: TlsFiles | None,
    insecure: bool,
) -> None:
    """Start a Stepwell server, on an embedded PostgreSQL unless --store names another."""
    set_up_logs(log_format, log_level)
    server_options.require_store(store, listen_store)
    grpc, http = server_options.ports(port, grpc_port, http_port, no_http=no_http)
    if default_artifact_root and artifacts:
        if kind_of(artifacts) is None:
            artifact_folders = (*artifact_folders, artifacts)
        else:
            artifact_buckets = (*artifact_buckets, artifacts)
    config = Config(
        host=host,
        port=grpc,
        data=data,
        store=store,
        pooler=pooler,
        listen_store=listen_store,
        shutdown_grace_s=shutdown_grace,
        workers=workers,
        log_format=log_format,
        log_level=log_level,
        metrics_port=metrics_port,
        metrics_host=metrics_host,
        http_port=http,
        http_host=http_host or None,
        advertise_grpc=advertise_grpc,
        allowed_hosts=allowed_hosts,
        allowed_origins=allowed_origins,
        webhook_hosts=webhook_hosts,
        static_prefix=static_prefix,
        lost_after_s=lost_after,
        statement_timeout_s=statement_timeout,
        searches=searches,
        artifacts=default_artifact_root or artifacts,
        artifact_folders=artifact_folders,
        artifact_buckets=artifact_buckets,
        artifact_address_s=artifact_address,
        artifact_upload_idle_s=artifact_idle,
        artifact_quota_gib=artifact_quota,
        artifact_run_quota_gib=artifact_run_quota,
        artifact_experiment_quota_gib=artifact_experiment_quota,
        disk_reserve_gib=disk_reserve,
        auth=auth,
        caller_limits=caller_limits,
        tls=tls,
        insecure=insecure,
        sign_in=sign_in,
    )
    exposure.require_protected(config)
    try:
        artifact_locations(config)  # what is wrong with them is told before anything starts
        asyncio.run(serve(config))
    except StepwellError as error:
        raise click.ClickException(str(error)) from error


async def serve(config: Config) -> None:
    """Run a server until SIGTERM, SIGINT or SIGHUP; these also interrupt the start."""
    stop_on_signals()
    try:
        async with _running(config) as running:
            announce(running, config)
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        log.info("server stopped")


def _running(config: Config) -> AbstractAsyncContextManager[RunningServer]:
    """Return a server as a context. The parent of workers loads nothing of what only they need."""
    if config.workers == 1:
        from stepwell_server.app import running_server

        return running_server(config)
    from stepwell_server.workers import running_workers

    return running_workers(config)


def announce(running: RunningServer, config: Config) -> None:
    """Tell the person at the terminal how to use the server and where the data is."""
    where = without_password(config.store) if config.store else str(config.data.resolve())
    click.echo(f"Stepwell is ready: {running.tracking_uri}")
    click.echo(f"gRPC is at {running.grpc_uri}, the data in {where}. Stop with Ctrl-C.")
    http_host = config.http_host or config.host
    if is_loopback(config.host) and not is_loopback(http_host) and not config.advertise_grpc:
        log.warning(
            "other machines reach HTTP alone; for Stepwell's client, let --host name the same address"
        )
    for text in exposure.warnings(config):
        log.warning(text)
