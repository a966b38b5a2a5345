"""Compression of a finished run in stages: `python -m fer_exp.compress`.

Entered through `__main__` alone. `stages` is what they are, `compressing` runs them; the table of a chain, which
`sync` makes again when records arrive late, is made by `fer_exp.run.chain_report`.
"""
