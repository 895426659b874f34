"""`nbdev_test`, with its options, that also fails for a notebook which leaves a switch of the whole process behind; a line per notebook."""
import os
import sys

import nbdev.test

from ftervit.profiles import switched, switches

test_nb = nbdev.test.test_nb


def watched(notebook, **options):
    "nbdev's `test_nb`: whether the notebook passed, and its seconds."
    before = switches()
    passed, seconds = test_nb(notebook, **options)
    if left := [s for s in switched(before) if s != "Python's random numbers"]:  # from those nbdev itself draws names of cells
        passed = False
        print(f"{notebook.name} leaves behind: {', '.join(left)}", file=sys.stderr)
    print(f"{'passed' if passed else 'failed':7} {seconds:6.1f} s  notebook {notebook.stem}", flush=True)
    return passed, seconds


if __name__ == "__main__":
    from notebooks import watched  # by its module's name: a notebook's shell takes the place of __main__

    os.environ["IN_TEST"] = "1"  # as nbdev sets it, but before the switches are read
    nbdev.test.test_nb = watched
    nbdev.test.nbdev_test()
