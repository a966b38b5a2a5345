"""Looks for what is wrong with runs and with data, and says so. `python -m fer_exp.doctor` is its command line.

One module for each kind of finding; `data` puts them together. Nothing here changes a data set: what is found is
written down as files that `dataset.exclude` and `dataset.relabel` take.
"""
