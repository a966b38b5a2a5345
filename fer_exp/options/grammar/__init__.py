"""What is read and quoted for whom: one module for each grammar that a text becomes a part of.

    override    `key=value` of Hydra: read, quoted, explained where it cannot be read; quoted for a shell
    options     the options of Hydra's command line
    sweeps      the values of a sweep
    sqlite      the address of a database file

Called by whoever reads or writes such a text, so that a name with quotes, brackets or blanks means the same everywhere.
"""
