"""What file system a folder is on, and whether two servers can keep out of each other's way there.

Files of artifacts are written under locks (flock), moved in one step, and folders flushed. NFS of Linux and CIFS pass
locks on to their server unless they are mounted with options that keep them on one machine; some file systems have none
at all.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
# By the names that Linux gives them.
SHARED_KINDS = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "ceph", "lustre", "beegfs", "gpfs", "afs", "9p", "virtiofs"),
        *("fuse.ceph", "fuse.glusterfs", "fuse.ceph-fuse", "fuse.juicefs", "fuse.moosefs", "fuse.mfs"),
    }
)
# They show what has no atomic renames or no locks as files: instead of them, the place itself is to be named.
DIRECTLY = {
    "fuse.s3fs": "s3://bucket/prefix",
    "fuse.goofys": "s3://bucket/prefix",
    "fuse.mountpoint-s3": "s3://bucket/prefix",
    "fuse.gcsfuse": "gs://bucket/prefix",
    "fuse.sshfs": "sftp://user@host/path",
    "fuse.rclone": "the place itself",
}
_LOCAL_LOCKS = frozenset({"nolock", "nobrl", "local_lock=all", "local_lock=flock"})
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system: where, of what kind, what of, and how."""

    point: Path
    kind: str
    source: str
    options: frozenset[str]

    @property
    def is_shared(self) -> bool:
        """Whether other machines may see the same files."""
        return self.kind in SHARED_KINDS or self.kind in DIRECTLY


def mount_of(folder: Path, table: str | None = None) -> Mount | None:
    """Return what a folder, there or not, is on; None where nobody says so. `table` is Linux's mountinfo."""
    if table is None:
        try:
            table = MOUNTS.read_text("utf-8", "surrogateescape")
        except OSError:
            return None
    real = folder.resolve()
    # Of several on one point, the last one counts.
    found = [mount for mount in _mounts(table) if real.is_relative_to(mount.point)]
    return max(reversed(found), key=lambda mount: len(mount.point.parts), default=None)


def _mounts(table: str) -> Iterator[Mount]:
    for line in table.splitlines():
        before, _, behind = line.partition(" - ")
        fields, (kind, source, *more) = before.split(" "), [*behind.split(" "), "", ""][:3]
        if len(fields) >= 6:
            options = frozenset([*fields[5].split(","), *more[0].split(",")])
            yield Mount(Path(_plain(fields[4])), kind, _plain(source), options)


def _plain(text: str) -> str:
    """Return a path of the table as it is; spaces and the like are three octal digits there."""
    first, *rest = text.split("\\")
    return first + "".join(
        chr(int(part[:3], 8)) + part[3:] if part[:3].isdigit() else f"\\{part}" for part in rest
    )


def doubts(mount: Mount | None) -> str:
    """Return why servers on several machines could get into each other's way on a file system; "" if they can't."""
    if mount is None or not mount.is_shared:
        return ""
    where = f"{mount.point} is {mount.kind} ({mount.source})"
    if mount.kind in DIRECTLY:
        return f"{where}, on which files are neither locked nor moved in one step; use {DIRECTLY[mount.kind]} instead"
    if local := sorted(mount.options & _LOCAL_LOCKS):
        return (
            f"{where}, mounted with {', '.join(local)}: locks hold on this machine alone; if several servers use it, "
            "mount it without"
        )
    return ""


def lock_problem(folder: Path) -> str:
    """Try a lock in a folder that is there; returns what is wrong, "" if it works."""
    probe = folder / f".stepwell-lock-{os.getpid()}-{os.urandom(4).hex()}"
    descriptor = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return (
            f"files cannot be locked in {folder} ({error.strerror}); NFS version 3 needs rpc.statd for that"
        )
    finally:
        with suppress(OSError):
            probe.unlink()
        os.close(descriptor)
    return ""
