"""Processes: jobs of a sweep, started cold or forked from a warm server; what every process computes with.

Called by the launchers on one side and by `__main__` on the other. A process gives all its memory back, which
TensorFlow does not, and what breaks in it breaks nothing else. Nothing here knows what a job trains.

    job           a job, how it ended, and what it says to the process that started it
    running       one job from start to end
    cold          a job as a new interpreter
    forkserver    a job as a fork of a server that has imported what jobs import
    server        that server
    kernels       whose kernels compute on a CPU
    keras_state   what Keras computes with, and which variables decide numbers
    temporary     folders for a while, and what killed processes have left of them
    quiet         TensorFlow imported without the lines that nobody asked for
    telemetry     nothing is reported to makers of libraries
    credentials   passwords in addresses, put aside and shown nowhere
    folders       files put whole or not at all, and whether any can be put there
    reader        a command whose output nobody reads any more
    user          who runs this process, where the system does not know
"""

from fer_exp.process.job import RESULT_ENV, Job, Outcome, cores, end_with_starter, failed, is_job, say
from fer_exp.process.running import StartMethod, run

__all__ = [
    "RESULT_ENV",
    "Job",
    "Outcome",
    "StartMethod",
    "cores",
    "end_with_starter",
    "failed",
    "is_job",
    "run",
    "say",
]
