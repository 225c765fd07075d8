# SPDX-License-Identifier: MIT
"""Where a run executes: devices, the processes of a cluster, what they agree on."""
