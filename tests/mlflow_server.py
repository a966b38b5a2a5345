"""A real `mlflow server` that tests can kill, stop, cut off, and start again with what it had.

Starting one takes seconds: where it does not matter how it is away, its line is cut, which is mended at once.
"""

import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import mlflow
import servers
from servers import free_port


def shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        end.close()  # it was not connected any more


class Line:
    """Hands connections on to a port; cut, it refuses them, and those there are break."""

    def __init__(self, to: int) -> None:
        self._to, self.port = to, free_port()
        self._ends: list[socket.socket] = []
        self._listening: socket.socket | None = None
        self.mend()

    @property
    def is_whole(self) -> bool:
        return self._listening is not None

    def mend(self) -> None:
        if self._listening is None:
            self._listening = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, args=[self._listening], daemon=True).start()

    def cut(self) -> None:
        assert self._listening is not None
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._listening = None
        for end in self._ends:
            shut(end)
        self._ends.clear()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                near, _ = listening.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
            except ConnectionRefusedError:
                near.close()
                continue
            except OSError:
                return  # cut
            self._ends += [near, far]
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass  # cut, or the server was killed: the other end has to know
        finally:
            shut(target)


class Server(servers.Server):
    """One that is reached through a line, with what it was told at hand."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, None)
        self.line = Line(self.port)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.line.port}"

    def run(self, run_id: str) -> mlflow.entities.Run:
        return mlflow.MlflowClient(self.uri).get_run(run_id)

    def steps(self, run_id: str, metric: str) -> list[int]:
        return [entry.step for entry in mlflow.MlflowClient(self.uri).get_metric_history(run_id, metric)]

    def artifact(self, run_id: str, path: str) -> Path:
        return Path(mlflow.MlflowClient(self.uri).download_artifacts(run_id, path))


def serving(folder: Path) -> Iterator[Server]:
    """A server for as long as a fixture lasts."""
    made = Server(folder)
    made.start()
    yield made
    made.signal(signal.SIGCONT)
    made.kill()
