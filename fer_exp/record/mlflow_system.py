"""CPU, memory, disk, network and GPU use while a run is open.

Called by `mlflow_run` alone. MLflow measures, under its own names; its thread, however, asks the server before each
sample and gives up for good the first time there is no answer, so the loop is here and what it measures goes the way
of everything else the run records.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

PREFIX = "system/"


@contextmanager
def sampled(run_id: str, record: Callable[[dict[str, float], int], None], first: int, seconds: float) -> Iterator[None]:
    """Measures in a thread while inside.

    Args:
        run_id: The run.
        record: Called with the metrics of each sample and its number.
        first: Number of the first sample.
        seconds: Between samples.
    """
    monitor, over = SystemMetricsMonitor(run_id), threading.Event()  # never started: it is asked for numbers only

    def measure() -> None:
        step = first
        monitor.collect_metrics()  # use of the CPU is counted from the look before
        while True:
            for part in monitor.monitors:
                part.clear_metrics()
            if over.wait(seconds):
                return
            monitor.collect_metrics()
            record({f"{PREFIX}{key}": float(value) for key, value in monitor.aggregate_metrics().items()}, step)
            step += 1

    thread = threading.Thread(target=measure, name="system metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
