"""Folders of data sets, read with care; nothing is decoded here.

`listing` walks them, `classes` knows those with one folder for each class, `passed_over` says what is not read,
`watching` tells how far long reading has come. Called by the readers of data sets.
"""
