"""A job as a new interpreter, which imports everything itself.

Called by `running`.
"""

import subprocess
import sys

from fer_exp.process.job import Command


class Cold:
    """A job in a new interpreter. See `job.Started`.

    Args:
        command: What runs.
        outputs: Descriptors of its standard output and of its errors.
    """

    def __init__(self, command: Command, outputs: tuple[int, int]) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", command.module, *command.arguments],
            cwd=command.folder,
            env=dict(command.environment),
            stdin=subprocess.PIPE,
            stdout=outputs[0],
            stderr=outputs[1],
            start_new_session=True,  # Ctrl-C is for the starter, which ends its jobs once and in order
        )

    def poll(self) -> int | None:
        """Returns the exit code; None while it runs."""
        return self._process.poll()

    def send_signal(self, number: int, /) -> None:
        """Sends it a signal, unless it has ended."""
        self._process.send_signal(number)

    def close(self) -> None:
        """Closes the pipe that is its standard input."""
        if self._process.stdin is not None:
            self._process.stdin.close()
