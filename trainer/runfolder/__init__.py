# SPDX-License-Identifier: MIT
"""What a run's folder says of the run: names of its files, its identity, what is complete."""
