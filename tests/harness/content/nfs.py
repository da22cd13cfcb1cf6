"""Tests on a share of NFS: Linux's own server and client, in a kernel that runs as a program (User Mode Linux).

    python -m tests.harness.content.nfs [arguments of pytest]

For machines whose kernel knows no NFS, or lets nobody mount. Needs root and Debian's packages, which are unpacked
beside the tests. The kernel has this machine's files, one processor, and folders of its own for what is temporary;
pytest's temporary folders lie on the share, mounted as NFS 4.2. It is mounted twice, and neither mount knows what the
other one remembers: both are named in STEPWELL_TEST_MOUNTS. Ends with pytest's status.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.harness import npm
from tests.harness.content.openssh import unpack_packages

PACKAGES = (
    *("user-mode-linux", "busybox-static", "kmod", "libkmod2", "nfs-kernel-server", "nfs-common"),
    *("libtirpc3", "libevent-core-2.1-7", "libkeyutils1", "libnfsidmap1", "libwrap0"),
)
REPOSITORY = Path(__file__).parents[3]
UNPACKED = REPOSITORY / "tests/content/.nfs"
MEMORY = "4000M"
# nfsd answers nobody who locks before its grace period is over.
GRACE_S = 11
INIT = """\
#!{unpacked}/bin/busybox sh
exec >{log} 2>&1
{unpacked}/bin/busybox mount -t proc proc /proc
{unpacked}/bin/busybox --install -s {tools} && ln -sf {unpacked}/bin/kmod {tools}/modprobe
export PATH={unpacked}/sbin:{unpacked}/usr/sbin:$PATH:{tools}
(
    export LD_LIBRARY_PATH={unpacked}/usr/lib/x86_64-linux-gnu:{unpacked}/lib/x86_64-linux-gnu
    mount -t sysfs sys /sys; mkdir -p /dev/shm; mount -t tmpfs shm /dev/shm
    for folder in /run /var/lib /mnt; do mount -t tmpfs none $folder; done
    ifconfig lo 127.0.0.1 up
    for module in nfsd nfsv4; do {tools}/modprobe -d {unpacked}/modules $module; done
    mkdir -p /var/lib/nfs/v4recovery /mnt/shared /mnt/first /mnt/second /mnt/home /mnt/temporary
    chmod 1777 /mnt /mnt/shared /mnt/temporary
    touch /var/lib/nfs/etab /var/lib/nfs/rmtab
    mount -t nfsd nfsd /proc/fs/nfsd
    rpc.mountd -N 2 -N 3
    exportfs -i -o rw,no_root_squash,fsid=0,insecure,no_subtree_check 127.0.0.1:/mnt/shared
    rpc.nfsd -N 3 -V 4.2 -G 10 4
    for name in first second; do mount.nfs4 127.0.0.1:/ /mnt/$name -o vers=4.2,hard,nosharecache; done
    sleep {grace_s}
)
grep nfs4 /proc/mounts
export HOME=/mnt/home TMPDIR=/mnt/temporary STEPWELL_TEST_MOUNTS=/mnt/first:/mnt/second
cd {repository} && {command}
echo $? >{status}
sync
poweroff -f
"""


def main(arguments: list[str]) -> int:
    """Run pytest with these arguments on a share; returns its status."""
    with npm.alone(UNPACKED):
        if not (UNPACKED / "modules").exists():
            _unpack()
    pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--basetemp=/mnt/first/pytest"]
    with tempfile.TemporaryDirectory(prefix="stepwell-nfs-") as name:
        log, status, init, tools = (Path(name) / it for it in ("log", "status", "init", "tools"))
        tools.mkdir()
        init.write_text(
            INIT.format(
                unpacked=UNPACKED,
                log=log,
                tools=tools,
                status=status,
                grace_s=GRACE_S,
                repository=REPOSITORY,
                command=shlex.join([*pytest, *arguments]),
            )
        )
        init.chmod(0o755)
        words = (f"mem={MEMORY}", "rootfstype=hostfs", "rootflags=/", "rw", f"init={init}", "con0=null,fd:1")
        subprocess.run(
            [UNPACKED / "usr/bin/linux.uml", *words],
            env={**os.environ, "TMPDIR": "/dev/shm"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        sys.stdout.write(
            log.read_text() if log.exists() else "The kernel did not start; this has to run as root.\n"
        )
        return int(status.read_text()) if status.exists() else 1


def _unpack() -> None:
    """Unpack the packages, and note which module needs which."""
    unpack_packages(UNPACKED, PACKAGES)
    (kernel,) = (UNPACKED / "usr/lib/uml/modules").iterdir()
    libraries = UNPACKED / "usr/lib/x86_64-linux-gnu", UNPACKED / "lib/x86_64-linux-gnu"
    made = UNPACKED / "modules in the making"
    (made / "lib").mkdir(parents=True)
    (made / "lib/modules").symlink_to(kernel.parent)
    subprocess.run(
        ["depmod", "-b", made, kernel.name],
        executable=UNPACKED / "bin/kmod",
        env={**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries))},
        check=True,
    )
    made.rename(UNPACKED / "modules")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
