"""The client's settings: the only reader (and writer) of the environment.

STEPWELL_TRACKING_URI            where the server is, or several are, with commas; default http://127.0.0.1:5000
STEPWELL_TRACKING_TOKEN          who asks the server, as a token; default: what `stepwell login` wrote for the server
STEPWELL_TRACKING_USERNAME       the same as a name,
STEPWELL_TRACKING_PASSWORD       and its password
STEPWELL_REGISTRY_URI            where registered models are, if not there
STEPWELL_EXPERIMENT_NAME         experiment of new runs, made if missing; default: see the next
STEPWELL_EXPERIMENT_ID           the same by id; the name goes first; default 0, the experiment "Default"
STEPWELL_RUN_ID                  the run that the first start_run resumes; default none
STEPWELL_RUN_CONTEXT             tags that new runs get, as JSON: {"job": "17"}; default none
STEPWELL_TRUNCATE_LONG_VALUES    too long params and tags are shortened (true) or refused (false); default true
STEPWELL_TLS_CA                  path of a PEM file with the authorities to trust, for private ones; default
                                 MLFLOW_TRACKING_SERVER_CERT_PATH, SSL_CERT_FILE, then those that everybody trusts
STEPWELL_TLS_CLIENT_CERT         path of a PEM file with this client's certificate, for servers that ask; default
                                 MLFLOW_TRACKING_CLIENT_CERT_PATH
STEPWELL_TLS_CLIENT_KEY          path of a PEM file with its key; default the same file
STEPWELL_TLS_INSECURE            any server is believed (true), or only those that can be checked (false); default
                                 MLFLOW_TRACKING_INSECURE_TLS, then false
STEPWELL_MODE                    online, or offline: nothing is sent, `stepwell sync` does it later; default online
STEPWELL_ON_UNREACHABLE          what start_run does without a server: offline (go on) or raise; default offline
STEPWELL_SPOOL_DIR               folder where what is logged waits for the server; default ./.stepwell
STEPWELL_SPOOL_BYTES_MAX         what may wait there for one run of one process, in bytes; default 8589934592, 8 GiB
STEPWELL_SPOOL_FULL              what a log call does there: block, drop_oldest or raise; default block
STEPWELL_RANK                    number of this process in a distributed job, from 0; default RANK, SLURM_PROCID or
                                 OMPI_COMM_WORLD_RANK, whichever is set first
STEPWELL_REACH_TIMEOUT_S         seconds that a call looks for the server; default 10, a restart of the server
STEPWELL_FLUSH_TIMEOUT_S         seconds that end_run, flush and reads wait for commits; default 60
STEPWELL_EXIT_TIMEOUT_S          seconds that the end of the interpreter waits for commits; default 60
STEPWELL_ENABLE_SYSTEM_METRICS_LOGGING          runs log system metrics (true) or not (false); default false
STEPWELL_SYSTEM_METRICS_SAMPLING_INTERVAL       seconds between two samples; default 10
STEPWELL_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING  samples that are averaged to a point; default 1
STEPWELL_SYSTEM_METRICS_NODE_ID                 what tells this machine from others; default none
STEPWELL_LOG_CONSOLE             runs log what the process prints (true) or not (false); default false
STEPWELL_CONSOLE_BYTES_MAX       how much of it one run takes of one process, in bytes; default 16777216, 16 MiB
STEPWELL_ENVIRONMENTS_DIR        folder where environments of projects are kept; default ~/.cache/stepwell/environments
STEPWELL_ALLOW_PICKLE            models that are pickles, which execute code, are loaded (true) or refused (false);
                                 default MLFLOW_ALLOW_PICKLE_DESERIALIZATION, then true
STEPWELL_DEFAULT_PREDICTION_DEVICE              where models of PyTorch predict, such as cpu or cuda:1; default the
                                                first GPU if there is one

Where one of the first ten, of the system metrics or the last is not set, the variable of MLflow's name is read:
MLFLOW_TRACKING_URI and so on. So are MLFLOW_TRACKING_TOKEN, _USERNAME and _PASSWORD, but while a server of MLflow is
imported from: then they are for that one. They are read when they are needed, not at import: scripts set them after
importing.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepwell.addresses import FORMS, Address, parse_address, separated
from stepwell.errors import StepwellException, invalid

# gRPC's own hooks around fork only complain on standard error; background.py stops it before, and children do without.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# It repeats on standard error, with every attempt to connect, what diagnosis.py says once.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

DEFAULT_TRACKING_URI = "http://127.0.0.1:5000"
DEFAULT_EXPERIMENT_ID = "0"

REACH_TIMEOUT_S_DEFAULT = 10.0
FLUSH_TIMEOUT_S_DEFAULT = 60.0
EXIT_TIMEOUT_S_DEFAULT = 60.0
# Of what a process prints: 16 MiB a run, some 200,000 lines.
CONSOLE_BYTES_MAX_DEFAULT = 2**24
SYSTEM_METRICS_INTERVAL_S_DEFAULT = 10.0

SPOOL_DIR_DEFAULT = Path(".stepwell")
SPOOL_BYTES_MAX_DEFAULT = 8 * 2**30
SPOOL_BYTES_MAX_MIN = 2**20
SPOOL_FULL_CHOICES = ("block", "drop_oldest", "raise")
MODES = ("online", "offline")
ON_UNREACHABLE_CHOICES = ("offline", "raise")
# What begins like an address, and not like a path: gs://, s3://, file://.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_RANK_VARIABLES = ("STEPWELL_RANK", "RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK")

# What set_tracking_uri was given in this process: the variable that it leaves to children is not where it comes from.
_chosen: set[str] = set()
# What STEPWELL_TRACKING_URI said before set_tracking_uri.
_given_uri: str | None = None
# Whether `import mlflow` is us, here.
_is_mlflow = False
# Whether MLflow's credentials are those of a server that is imported from.
_imports_from_mlflow = False
# The mode of the environment, of a process that left it.
_left_mode: str | None = None
FALSE_WORDS = ("0", "false", "no", "off")


def tracking_uri() -> str:
    """Return the URI of the server that new runs and clients use."""
    return _first("TRACKING_URI") or DEFAULT_TRACKING_URI


def is_tracking_uri_set() -> bool:
    """Tell whether anybody named a server."""
    return _first("TRACKING_URI") is not None


def set_tracking_uri(uri: str | None) -> None:
    """Name the server, here and for child processes; None or "": what the environment said before."""
    global _given_uri
    before = os.environ.get("STEPWELL_TRACKING_URI")
    if before not in _chosen:
        _given_uri = before
    if uri:
        parse_uri(uri)
        os.environ["STEPWELL_TRACKING_URI"] = uri
        _chosen.add(uri)
    elif _given_uri is None:
        os.environ.pop("STEPWELL_TRACKING_URI", None)
    else:
        os.environ["STEPWELL_TRACKING_URI"] = _given_uri
    if _is_mlflow:
        name_server_for_mlflows_clients()


def name_server_for_mlflows_clients() -> None:
    """Have MLFLOW_TRACKING_URI say what STEPWELL_TRACKING_URI says, for who reads it where we stand in for mlflow."""
    global _is_mlflow
    _is_mlflow = True
    uri = os.environ.get("STEPWELL_TRACKING_URI")
    if uri:
        with suppress(ValueError):  # said when it is used
            uri = separated(uri)[0]  # they know one server
        os.environ["MLFLOW_TRACKING_URI"] = uri
    else:  # where some of them would name a folder, which is no server
        os.environ.setdefault("MLFLOW_TRACKING_URI", DEFAULT_TRACKING_URI)


def leave_to_children_as_mlflow(folder: str) -> None:
    """Put the folder of the modules that stand in for mlflow on the path of processes that are started from here."""
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join([*(it for it in path if it not in ("", folder)), folder])


def registry_uri() -> str | None:
    """Return the URI of the server with the registered models; None where it is that of the tracking URI."""
    return _first("REGISTRY_URI")


def set_registry_uri(uri: str | None) -> None:
    """Name the server with the registered models, here and for processes that are started from here; None: no other."""
    os.environ.pop("MLFLOW_REGISTRY_URI", None)
    os.environ.pop("STEPWELL_REGISTRY_URI", None)
    if uri:
        parse_uri(uri)
        os.environ["STEPWELL_REGISTRY_URI"] = uri


def source_of(uri: str) -> str:
    """Return where a tracking URI comes from, for a message; "" where the caller gave it."""
    if uri in _chosen:
        return ""
    for variable in ("STEPWELL_TRACKING_URI", "MLFLOW_TRACKING_URI"):
        if os.environ.get(variable) == uri:
            return f"from {variable}"
    return "the default" if uri == DEFAULT_TRACKING_URI else ""


_experiment_name: ContextVar[str | None] = ContextVar("stepwell_experiment_name", default=None)


def set_experiment(experiment_id: str, name: str | None = None) -> None:
    """Name the experiment for processes that are started from here; the name goes first."""
    for variable, value in (("EXPERIMENT_ID", experiment_id), ("EXPERIMENT_NAME", name)):
        os.environ.pop(f"MLFLOW_{variable}", None)
        os.environ.pop(f"STEPWELL_{variable}", None)
        if value:
            os.environ[f"STEPWELL_{variable}"] = value


@contextmanager
def experiment_named(name: str | None) -> Iterator[None]:
    """Let runs that the block starts go to the experiment of a name, and no others; None changes nothing."""
    token = _experiment_name.set(name or _experiment_name.get())
    try:
        yield
    finally:
        _experiment_name.reset(token)


def experiment_name() -> str | None:
    """Return the name of the experiment for new runs, if there is one."""
    return _experiment_name.get() or _first("EXPERIMENT_NAME")


def experiment_id() -> str | None:
    """Return the id of the experiment for new runs, if there is one."""
    return _first("EXPERIMENT_ID")


def run_id() -> str | None:
    """Return the run to resume, if one is named."""
    return _first("RUN_ID")


def take_run_id() -> str | None:
    """Return the run to resume, once: the second start_run of a process makes a run of its own."""
    taken = run_id()
    os.environ.pop("STEPWELL_RUN_ID", None)
    os.environ.pop("MLFLOW_RUN_ID", None)
    return taken


def run_context() -> dict[str, Any]:
    """Return the tags that new runs get beside their own: what a scheduler wants to find its jobs' runs by.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when the variable holds something else.
    """
    text = _first("RUN_CONTEXT") or "{}"
    try:
        tags = json.loads(text)
    except ValueError:
        tags = None
    if not isinstance(tags, dict):
        raise invalid(f'{_set("RUN_CONTEXT")} is {text!r}; it must be tags as JSON, such as {{"job": "17"}}.')
    return tags


def truncate_long_values() -> bool:
    """Tell whether too long values are shortened (with a warning) or refused."""
    return (_first("TRUNCATE_LONG_VALUES") or "true").lower() not in FALSE_WORDS


def is_offline() -> bool:
    """Tell whether nothing is to be sent by this process."""
    return _choice("STEPWELL_MODE", MODES) == "offline"


def leave_offline_mode() -> None:
    """Send and ask, whatever the environment says, here and in processes that are started from here."""
    global _left_mode
    _left_mode = os.environ.pop("STEPWELL_MODE", None)


def return_to_mode() -> None:
    """Do again what the environment says of it: this process logs."""
    if _left_mode is not None:
        os.environ["STEPWELL_MODE"] = _left_mode


def raises_when_unreachable() -> bool:
    """Tell whether start_run needs the server."""
    return _choice("STEPWELL_ON_UNREACHABLE", ON_UNREACHABLE_CHOICES) == "raise"


def spool_dir() -> Path | None:
    """Return the folder that somebody chose for what waits; None if nobody did."""
    chosen = os.environ.get("STEPWELL_SPOOL_DIR")
    return local_folder(chosen, "STEPWELL_SPOOL_DIR") if chosen else None


def local_folder(text: "str | os.PathLike[str]", what: str) -> Path:
    """Return a folder of this machine; an address would become a folder of a strange name, and is refused."""
    if _ADDRESS.match(os.fspath(text)):
        raise invalid(
            f"{what} is {str(text)!r}, the address of another place; name a folder of this machine."
        )
    return Path(text)


def spool_bytes_max() -> int:
    """Return what may wait on disk for one run of one process, in bytes."""
    text = os.environ.get("STEPWELL_SPOOL_BYTES_MAX") or str(SPOOL_BYTES_MAX_DEFAULT)
    if not text.isdigit() or int(text) < SPOOL_BYTES_MAX_MIN:
        raise invalid(
            f"STEPWELL_SPOOL_BYTES_MAX is {text!r}; it must be bytes, at least {SPOOL_BYTES_MAX_MIN}."
        )
    return int(text)


def spool_full() -> str:
    """Return what happens at that limit: block, drop_oldest or raise."""
    return _choice("STEPWELL_SPOOL_FULL", SPOOL_FULL_CHOICES)


def rank() -> int | None:
    """Return the number of this process in a distributed job; None outside of one."""
    for variable in _RANK_VARIABLES:
        text = os.environ.get(variable)
        if text:
            if not text.isdigit():
                raise invalid(f"{variable} is {text!r}; a rank is a number from 0.")
            return int(text)
    return None


def credentials() -> tuple[str, str, str]:
    """Return token, user name and password for the server, as the environment says them; empty where not set.

    A user name counts where there is no token.
    """
    for prefix in _credential_prefixes():
        token, name, password = (
            os.environ.get(f"{prefix}_TRACKING_{what}", "") for what in ("TOKEN", "USERNAME", "PASSWORD")
        )
        if token or name:
            return token.strip(), "" if token else name, "" if token else password
    return "", "", ""


def credentials_source() -> str:
    """Return which variable says who asks the server; "" where none does."""
    for prefix in _credential_prefixes():
        for what in ("TOKEN", "USERNAME"):
            if os.environ.get(f"{prefix}_TRACKING_{what}"):
                return f"{prefix}_TRACKING_{what}"
    return ""


def _credential_prefixes() -> tuple[str, ...]:
    return ("STEPWELL",) if _imports_from_mlflow else ("STEPWELL", "MLFLOW")


def config_dir() -> Path:
    """Return the folder of what this user has configured."""
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "stepwell"


def mlflow_credentials() -> tuple[str, str, str]:
    """Return user name, password and token for a server of MLflow that is imported from; empty where not set.

    From then on this process shows them to no other server.
    """
    global _imports_from_mlflow
    _imports_from_mlflow = True
    name, password, token = (
        os.environ.get(f"MLFLOW_TRACKING_{what}", "") for what in ("USERNAME", "PASSWORD", "TOKEN")
    )
    return name, password, token


def reach_timeout_s() -> float:
    """How long a call looks for the server before it gives up."""
    return _seconds("STEPWELL_REACH_TIMEOUT_S", REACH_TIMEOUT_S_DEFAULT)


def flush_timeout_s() -> float:
    """How long end_run, flush and reads wait until everything is committed."""
    return _seconds("STEPWELL_FLUSH_TIMEOUT_S", FLUSH_TIMEOUT_S_DEFAULT)


def exit_timeout_s() -> float:
    """How long the end of the interpreter waits until everything is committed."""
    return _seconds("STEPWELL_EXIT_TIMEOUT_S", EXIT_TIMEOUT_S_DEFAULT)


def require_timeouts() -> None:
    """Refuse, when a log begins, what its end would stumble over."""
    flush_timeout_s()
    exit_timeout_s()


def set_system_metrics(name: str, value: object) -> None:
    """Set one of those of system metrics above, here and for processes started from here; None is the default."""
    os.environ.pop(f"MLFLOW_{name}", None)
    os.environ[f"STEPWELL_{name}"] = "" if value is None else str(value)


def log_console() -> bool:
    """Tell whether runs log what the process writes to its console, unless start_run() says something else."""
    return (_first("LOG_CONSOLE") or "false").lower() not in FALSE_WORDS


def console_bytes_max() -> int:
    """How many bytes of a console one run takes of this process; what comes then is counted, and left out."""
    text = os.environ.get("STEPWELL_CONSOLE_BYTES_MAX") or str(CONSOLE_BYTES_MAX_DEFAULT)
    if not text.isdigit():
        raise invalid(f"STEPWELL_CONSOLE_BYTES_MAX is {text!r}; it must be bytes, as 16777216.")
    return int(text)


def system_metrics_enabled() -> bool:
    """Tell whether runs log system metrics."""
    return (_first("ENABLE_SYSTEM_METRICS_LOGGING") or "false").lower() not in FALSE_WORDS


def system_metrics_interval_s() -> float:
    """How long to wait between two samples."""
    return _seconds(_set("SYSTEM_METRICS_SAMPLING_INTERVAL"), SYSTEM_METRICS_INTERVAL_S_DEFAULT)


def system_metrics_samples() -> int:
    """How many samples are averaged to one point."""
    return max(1, int(_seconds(_set("SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING"), 1.0)))


def system_metrics_node_id() -> str | None:
    """Return what tells this machine from others in the names of system metrics, if anything does."""
    return _first("SYSTEM_METRICS_NODE_ID")


def environments_dir() -> Path:
    """Return the folder where environments of projects are kept."""
    chosen = os.environ.get("STEPWELL_ENVIRONMENTS_DIR")
    if chosen:
        return local_folder(chosen, "STEPWELL_ENVIRONMENTS_DIR").absolute()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "stepwell" / "environments"


def allow_pickle() -> bool:
    """Tell whether models that are pickles, which execute code, may be loaded."""
    text = os.environ.get("STEPWELL_ALLOW_PICKLE") or os.environ.get("MLFLOW_ALLOW_PICKLE_DESERIALIZATION")
    return (text or "true").lower() not in FALSE_WORDS


def prediction_device() -> str | None:
    """Return the device that models of PyTorch predict on, if somebody chose one."""
    return _first("DEFAULT_PREDICTION_DEVICE")


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that a variable of the environment names."""

    variable: str
    path: str


def tls_ca() -> NamedFile | None:
    """Return the file of authorities to trust; None where nobody named one."""
    return _named_file("STEPWELL_TLS_CA", "MLFLOW_TRACKING_SERVER_CERT_PATH", "SSL_CERT_FILE")


def bucket_ca() -> NamedFile | None:
    """Return the file of authorities that AWS's programs trust; None where nobody named one."""
    return _named_file("AWS_CA_BUNDLE")


def tls_client() -> tuple[NamedFile, NamedFile] | None:
    """Return the files of this client's certificate and of its key; None where it has none."""
    certificate = _named_file("STEPWELL_TLS_CLIENT_CERT", "MLFLOW_TRACKING_CLIENT_CERT_PATH")
    key = _named_file("STEPWELL_TLS_CLIENT_KEY")
    if key and not certificate:
        raise invalid("STEPWELL_TLS_CLIENT_KEY is set, and STEPWELL_TLS_CLIENT_CERT is not; both are needed.")
    return (certificate, key or certificate) if certificate else None


def tls_insecure() -> bool:
    """Tell whether any server is believed."""
    word = (
        os.environ.get("STEPWELL_TLS_INSECURE") or os.environ.get("MLFLOW_TRACKING_INSECURE_TLS") or "false"
    )
    return word.lower() not in FALSE_WORDS


def _named_file(*variables: str) -> NamedFile | None:
    return next((NamedFile(name, path) for name in variables if (path := os.environ.get(name))), None)


def parse_uri(uri: str) -> Address:
    """Take a tracking URI apart; one with commas names several servers of the same database.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when it is no http://, https://, grpc:// or grpcs:// URI.
    """
    try:
        return parse_address(uri)
    except ValueError as error:
        source = source_of(uri)
        named = f"{uri!r} ({source})" if source else repr(uri)
        raise invalid(f"The tracking URI {named} cannot be used: {error} {FORMS}") from None


def is_same_server(one: str, other: str) -> bool:
    """Tell whether two tracking URIs are of one server, however they are written."""
    try:
        return set(parse_uri(one).places) == set(parse_uri(other).places)
    except StepwellException:
        return one == other


def _first(name: str) -> str | None:
    return os.environ.get(f"STEPWELL_{name}") or os.environ.get(f"MLFLOW_{name}") or None


def _choice(variable: str, choices: tuple[str, ...]) -> str:
    """Return one of the choices; the first is the default."""
    chosen = os.environ.get(variable) or choices[0]
    if chosen not in choices:
        raise invalid(f"{variable} is {chosen!r}; it must be one of {', '.join(choices)}.")
    return chosen


def _set(name: str) -> str:
    """Return the variable that is set, ours or MLflow's."""
    return f"STEPWELL_{name}" if os.environ.get(f"STEPWELL_{name}") else f"MLFLOW_{name}"


def _seconds(variable: str, default: float) -> float:
    text = os.environ.get(variable)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise invalid(f"{variable} is {text!r}; it must be a number of seconds.")
    return seconds
