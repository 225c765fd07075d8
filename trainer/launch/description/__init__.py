# SPDX-License-Identifier: MIT
"""The typed form of a job file, and what can be known to be wrong with it before it is sent."""
