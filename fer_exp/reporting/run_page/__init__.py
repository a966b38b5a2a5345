"""One HTML page that shows a run whole: numbers, tables, pictures, and how to run it again.

`experiment` calls `page.write` when everything else of a run is in its folder: `pictures` takes whatever is in
`figures/`, `contents` what is in `tables/` and what it is told, `page` makes one file of both that needs no other.
"""
