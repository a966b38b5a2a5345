"""What the readers of data sets that are folders of images share, once they know what the folders mean.

`naming` says which class a folder is, `division` decodes images and divides them into splits; `affectnet_csv` and
`affectnet_npy` are the two forms in which AffectNet was given out. Called by the options of `dataset`.
"""
