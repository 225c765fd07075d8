# SPDX-License-Identifier: MIT
"""Hours of training on two workers with a kill every few minutes: `python -m benchmarks.soak`."""
