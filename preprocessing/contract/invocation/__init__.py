# SPDX-License-Identifier: MIT
"""How the preprocessing job is called: its settings and flags, which the launcher checks too."""
