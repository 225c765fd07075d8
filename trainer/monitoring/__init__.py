# SPDX-License-Identifier: MIT
"""What a run shows while it lives and keeps for later: TensorBoard's log; written by the chief."""
