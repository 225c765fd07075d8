# SPDX-License-Identifier: MIT
"""Plans, writes and judges the shards of a data set, and declares it complete."""
