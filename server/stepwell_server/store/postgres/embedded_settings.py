"""What the embedded PostgreSQL is told: the settings of a database that mostly writes."""

import os
from pathlib import Path

MIB = 1024 * 1024
SHARED_BUFFERS_MAX_MIB = 1024  # more gives writing nothing; reading has the kernel's cache
SHARED_BUFFERS_MIN_MIB = 128


def memory_mib() -> int:
    """Return the memory of this machine in MiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB


def shared_buffers_mib(memory: int) -> int:
    """Return an eighth of the memory, within limits: the training loop on the same machine needs its own."""
    return max(SHARED_BUFFERS_MIN_MIB, min(SHARED_BUFFERS_MAX_MIB, memory // 8))


def server_settings(socket_folder: Path, *, fsync: bool, connections_max: int) -> dict[str, str]:
    """Return all settings that differ from PostgreSQL's defaults."""
    return {
        **_access(socket_folder, connections_max),
        **_memory(),
        **_writing(fsync),
        **_planning(),
        **_logging(),
    }


def _access(socket_folder: Path, connections_max: int) -> dict[str, str]:
    return {
        "cluster_name": "stepwell",  # shown by ps
        "listen_addresses": "",  # no TCP: only who may enter the socket's folder gets in
        "unix_socket_directories": str(socket_folder),
        "unix_socket_permissions": "0700",
        "max_connections": str(connections_max),
    }


def _memory() -> dict[str, str]:
    memory = memory_mib()
    return {
        "shared_buffers": f"{shared_buffers_mib(memory)}MB",  # pages that batches touch again stay in memory
        "effective_cache_size": f"{memory // 2}MB",  # what the kernel may cache for us
        "wal_buffers": "32MB",  # a large transaction need not wait for the log's disk before its commit
        "maintenance_work_mem": "128MB",  # vacuum of the tables that are updated all the time
        "work_mem": "16MB",  # sorts of searches
    }


def _writing(fsync: bool) -> dict[str, str]:
    safe = "on" if fsync else "off"
    return {
        "fsync": safe,  # acknowledged means on disk
        "full_page_writes": safe,  # a page torn by a power cut is repaired
        "synchronous_commit": "on",  # and without fsync still handed to the kernel: kept when PostgreSQL is killed
        "max_wal_size": "4GB",  # checkpoints come by the clock and not by volume: fewer full page writes
        "min_wal_size": "256MB",  # log files are reused instead of made anew
        "checkpoint_timeout": "15min",  # bounds recovery after a crash to what 15 minutes wrote
        "checkpoint_completion_target": "0.9",  # spread out, so that commits don't feel it
        "wal_compression": "on",  # full pages cost less log
        "autovacuum_naptime": "15s",  # writer and metric_latest get a new row version with each batch
        "autovacuum_vacuum_cost_limit": "2000",  # and vacuum has to keep up with them
    }


def _planning() -> dict[str, str]:
    return {
        "jit": "off",  # compiling costs more than our short queries
        "random_page_cost": "1.1",  # solid state disks
    }


def _logging() -> dict[str, str]:
    return {
        "lc_messages": "C",  # the same words everywhere
        "log_line_prefix": "",  # our log has the time already
        "log_min_messages": "log",  # a failed statement is reported by who sent it
        "log_min_error_statement": "panic",  # what people log does not belong into the server's log
        "log_checkpoints": "off",
    }
