"""The errors a user can cause, each carrying a message that says what to do.

Raised by every floor, caught only by the command line, which prints the message without a stack trace and exits
with `exit_code`. Anything else that escapes is a defect of ours and keeps its traceback.
"""

from collections.abc import Sequence

from fer_exp.process import credentials


class UserError(Exception):
    """Something outside the code is wrong: the message names the argument, the rule, what was received, the fix.

    What a library says of an address may hold its password: the message does not.
    """

    exit_code = 2

    def __str__(self) -> str:
        """Returns the message."""
        return credentials.hidden(super().__str__())


class ConfigError(UserError):
    """The configuration breaks one or more rules; all of them are reported at once.

    Args:
        problems: One line for each broken rule.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(map(credentials.hidden, problems))
        super().__init__("\n".join(self.problems))


class DataError(UserError):
    """A data set on disk is missing, malformed or does not hold what the configuration asks of it."""


class WeightsError(UserError):
    """A weights file is missing or does not fit the model."""


class ModelError(UserError):
    """A model is not there, is damaged, or is none that classifies images."""


class TrackingError(UserError):
    """The tracking server cannot be reached or refuses the run."""


class RefusedRecordsError(TrackingError):
    """The tracking server does not take some of what a run has recorded; all else was delivered."""


class ExportError(UserError):
    """The model cannot be exported as it was asked for."""


class ComparisonError(UserError):
    """The runs that were named cannot be compared."""


class ClusterError(UserError):
    """Another process of a distributed training is no longer there, or was started with another command."""


class PruningError(UserError):
    """Channels cannot be removed from this model as asked."""


class TrainingDivergedError(UserError):
    """The loss is no longer a finite number, so that training on would waste time."""

    exit_code = 3


class StorageError(UserError):
    """A disk is full or cannot be written."""

    exit_code = 4


class SweepError(UserError):
    """Jobs of a sweep failed; the others ran.

    Args:
        failures: One line for each job that failed, then what to do.
        exit_code: Of the failed jobs, if they agree.
    """

    def __init__(self, failures: Sequence[str], exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__("\n".join(failures))
