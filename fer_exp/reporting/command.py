"""The frame of every command: the words it is given, and the one place where its end is told.

Called by each `main`. A mistake is one line on the standard error and an exit code; Ctrl-C and SIGTERM unwind what is
open, so that a run that is recorded says KILLED; a defect of ours keeps its traceback. It must not know what commands
do.
"""

import argparse
import functools
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from fer_exp import process
from fer_exp.errors import StorageError, UserError
from fer_exp.process import credentials
from fer_exp.process.reader import ends_with_reader
from fer_exp.reporting.terminal import printable

_INTERRUPTED = 130  # of a process that Ctrl-C ends


def framed(work: Callable[[], int | None]) -> Callable[[], None]:
    """Returns the `main` of a command.

    Args:
        work: Does what the command line asks for, and returns the exit code; None leaves the end to the interpreter.
    """

    @functools.wraps(work)
    def main() -> None:
        signal.signal(signal.SIGTERM, _terminate)
        with ends_with_reader():
            try:
                code = work()
            except UserError as error:
                fail(str(error), error.exit_code)
            except KeyboardInterrupt:
                fail("Interrupted.", _INTERRUPTED)
            except Exception as error:
                sentence = _of_the_machine(error)
                if not sentence:
                    raise
                fail(sentence, StorageError.exit_code)
            if code is not None:
                sys.exit(code)

    return main


def parser(name: str, text: str | None) -> argparse.ArgumentParser:
    """Returns a parser that shows a module's docstring as it is written.

    Args:
        name: What follows `python -m`.
        text: The docstring of the command's module.
    """
    return argparse.ArgumentParser(
        prog=f"python -m {name}", description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def parsed(words: argparse.ArgumentParser) -> argparse.Namespace:
    """Returns the command line as a parser reads it, options between the words, its passwords put aside."""
    return words.parse_intermixed_args(credentials.arguments())


def fail(message: str, code: int) -> NoReturn:
    """Tells a mistake, to the person and to the process that started this one as a job, and ends this process.

    Args:
        message: One line for each mistake.
        code: Exit code.
    """
    message = credentials.hidden(message)
    print("\n".join(f"error: {printable(line)}" for line in message.splitlines()), file=sys.stderr)
    process.say(error=message)
    sys.exit(code)


def _terminate(number: int, frame: FrameType | None) -> None:
    """Turns SIGTERM into an exception, so that what is open is closed; a second one must not break that off."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _of_the_machine(error: Exception) -> str:
    """Returns what a person is told of an error that no code can help: no memory, no home folder; else nothing."""
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # which is TensorFlow's
        reason = " ".join(str(error).split())[:200].rstrip(".") or "nothing is left"
        return f"The memory is not enough: {reason}. Make the images, the network or batch_size smaller."
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        return "A path begins with ~, and nobody knows whose home folder that is: set HOME, or write the folder itself."
    return ""
