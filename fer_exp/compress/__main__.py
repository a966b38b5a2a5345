"""Compresses a finished run in stages: prune, distil, quantise, each a tracked run that goes on from the one before.

    python -m fer_exp.compress <run id>                                    half the multiply-adds, then int8
    python -m fer_exp.compress <run id> compression=prune_in_rounds        another chain: conf/compression/*.yaml
    python -m fer_exp.compress <run id> prune:pruning.ratio=0.7 distil:epochs=40
    python -m fer_exp.compress <run id> tracking.uri=http://127.0.0.1:5000 deterministic=true

Each stage has the configuration of the run that is compressed, then what the preset says, then what is said here:
`key=value` to all stages, `<stage>:key=value` to one. The same command again goes on where an earlier one ended. At the
end there is a table: stage, multiply-adds, parameters, accuracy, macro-F1, files.
"""

from fer_exp.reporting import command, terminal


@command.framed
def main() -> None:
    """Runs the command line; exits with 0, with the code of a stage that failed, or 2 for a user's error."""
    words = command.parser("fer_exp.compress", __doc__)
    words.add_argument("id", metavar="RUN", help="the run that is compressed")
    words.add_argument("overrides", nargs="*", metavar="key=value | stage:key=value", help="as of python -m fer_exp")
    options = command.parsed(words)
    from fer_exp.compress import compressing

    compressing.run(options.id, options.overrides, terminal.opened(160))


if __name__ == "__main__":
    main()
