# SPDX-License-Identifier: MIT
"""The training of a run: its parts, the loop around them, the compiled step inside."""
