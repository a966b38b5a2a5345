"""What the readers of data sets that lie in folders share.

`listing` walks folders and finds files, `division` decodes them and divides them into splits, `watching` tells how far
long work has come; `affectnet_csv` and `affectnet_npy` are the two forms in which AffectNet was given out. Called by
the options of `dataset`, which say what the folders of a data set mean.
"""
