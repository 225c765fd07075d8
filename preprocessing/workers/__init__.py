# SPDX-License-Identifier: MIT
"""Runs the job's steps on a Beam runner, and says in one sentence how a worker failed."""
