# SPDX-License-Identifier: MIT
"""A synthetic ChestX-ray14 for the demo, the tests and the benchmarks.

It has the tree and the files of the real data set and shows each finding as a pattern on a
schematic chest. It teaches a model nothing about patients.
"""

from preprocessing.phantom.files import PhantomSummary, write

__all__ = ["PhantomSummary", "write"]
