"""How fast a `.tflite` file loads and answers, and what memory it takes, measured in a process of its own.

Called by `proof`; `python -m fer_exp.lite.benchmark FILE` measures any file and prints JSON. The process holds
nothing but the interpreter, as an app does: TensorFlow's threads and memory are not in the numbers. It must not know
where a file came from.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_exp.lite import litert
from fer_exp.lite.litert import Interpreter, Latency

_STATUS = Path("/proc/self/status")  # where Linux keeps what a process has and had in memory


@dataclass(frozen=True)
class Speed:
    """What running a file costs.

    Attributes:
        load_ms: From the file to an interpreter that can be called, on one thread, the file being in the disk cache.
        memory_mb: Resident memory, in 10^6 bytes, from before the file was loaded to the highest point while it
            answered on one thread; None on systems that do not tell.
        latency: Time of a call at batch 1, by number of threads.
    """

    load_ms: float
    memory_mb: float | None
    latency: Mapping[int, Latency]


def processor() -> str:
    """Returns the name of the processor, as far as the system tells it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def measure(path: Path, threads: Sequence[int], calls: int) -> Speed:
    """Measures a file in a process of its own.

    Args:
        path: The file.
        threads: Numbers of threads, each >= 1; 1 is measured in any case.
        calls: Calls at batch 1, after some to warm up, for each number of threads.

    Raises:
        RuntimeError: If that process fails; the message holds what it said.
    """
    command = [sys.executable, "-m", "fer_exp.lite.benchmark", str(path), "--calls", str(calls)]
    command += ["--threads", *map(str, sorted({1, *threads}))]
    places = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{path} cannot be measured: {done.stderr.strip()[-2000:]}")
    found = json.loads(done.stdout)
    latency = {int(count): Latency(**times) for count, times in found["latency_ms"].items()}
    return Speed(found["load_ms"], found["memory_mb"], latency)


def main() -> None:
    """Measures the file of the command line in this process and prints JSON."""
    parser = argparse.ArgumentParser(description="Measures a .tflite file and prints JSON.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--threads", type=_positive, nargs="+", default=[1], metavar="N")
    parser.add_argument("--calls", type=_positive, default=200, metavar="N")
    options = parser.parse_args()
    try:
        print(json.dumps(_measured(options.file, options.threads, options.calls), indent=2))
    except (ValueError, OSError) as error:  # what LiteRT and the system say of files that are none
        parser.error(f"`file` must be a .tflite file: {error}. Received: {options.file}.")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an integer >= 1. Received: {text}")
    return int(text)


def _measured(path: Path, threads: Sequence[int], calls: int) -> dict[str, object]:
    litert.load_library()
    path.read_bytes()  # into the disk cache
    before, start = _memory("VmRSS"), time.perf_counter()
    interpreter = Interpreter(path)
    load_ms = 1e3 * (time.perf_counter() - start)
    latency = {1: interpreter.latency(calls)}
    highest = _memory("VmHWM")
    for count in threads:
        if count != 1:
            latency[count] = Interpreter(path, count).latency(calls)
    return {
        "load_ms": load_ms,
        "memory_mb": None if before is None or highest is None else (highest - before) / 1e6,
        "latency_ms": {count: {"p50": times.p50, "p95": times.p95} for count, times in latency.items()},
    }


def _memory(name: str) -> int | None:
    """Returns a line of the process' status in bytes; None where there is no such thing."""
    if not _STATUS.is_file():
        return None
    lines = dict(line.split(":", 1) for line in _STATUS.read_text(encoding="ascii").splitlines() if ":" in line)
    return 1024 * int(lines[name].split()[0])


if __name__ == "__main__":
    main()
