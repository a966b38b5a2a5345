"""A real Slurm cluster of one machine, for as long as a test needs it: munge, slurmctld and slurmd on loopback."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from servers import free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel")
needs_slurm = pytest.mark.skipif(
    not all(shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") for program in PROGRAMS),
    reason="Slurm is not installed: apt-get install slurmctld slurmd slurm-client munge",
)
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
KillWait=5
ReturnToService=1
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=cpu Nodes=ALL Default=YES State=UP MaxTime=INFINITE
"""


@contextmanager
def slurm() -> Iterator[Path]:
    """Runs a cluster and gives the path of its slurm.conf, which clients find by SLURM_CONF."""
    user = "root" if os.geteuid() == 0 else os.environ["USER"]
    with tempfile.TemporaryDirectory(prefix="fer_exp-slurm-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for own in ("munge", "state", "spool"):
            (folder / own).mkdir(mode=0o755)
        text = CONFIGURATION.format(
            host=socket.gethostname(), user=user, folder=folder, ports=(free_port(), free_port()), cpus=os.cpu_count()
        )
        (folder / "slurm.conf").write_text(text)
        started = []
        try:
            started.append(_munge(folder))
            environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
            for program in ("slurmctld", "slurmd"):
                path = str(shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin"))
                started.append(
                    subprocess.Popen(
                        [path, "-D"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                    )
                )
            _wait_for_the_node(environment)
            yield folder / "slurm.conf"
        finally:
            for process in reversed(started):
                process.send_signal(signal.SIGTERM)
                process.wait(60)


def _munge(folder: Path) -> "subprocess.Popen[bytes]":
    """Starts munge, with a key of its own, as the user that it insists on."""
    home = folder / "munge"
    (home / "key").write_bytes(os.urandom(128))
    (home / "key").chmod(0o600)
    as_user = []
    if os.geteuid() == 0:
        as_user = ["runuser", "-u", "munge", "--"]
        for path in (home, home / "key"):
            shutil.chown(path, "munge", "munge")
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    options = [f"--{option}={home / name}" for option, name in files.items()]
    program = str(shutil.which("munged", path=f"{os.environ['PATH']}:/usr/sbin"))
    process = subprocess.Popen([*as_user, program, "--foreground", *options], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not (home / "socket").exists():
        assert time.monotonic() < deadline, "munge did not start"
        time.sleep(0.1)
    return process


def _wait_for_the_node(environment: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while "idle" not in subprocess.run(
        ["sinfo", "--noheader"], env=environment, capture_output=True, text=True, check=False
    ).stdout:  # fmt: skip
        assert time.monotonic() < deadline, "the node did not become idle"
        time.sleep(0.5)
