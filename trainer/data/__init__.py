# SPDX-License-Identifier: MIT
"""From shards to batches: order, local copies, checks that the data set is whole."""
