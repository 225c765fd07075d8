# SPDX-License-Identifier: MIT
"""What concerns several runs: their table of results, their comparison, seeds and folds."""
