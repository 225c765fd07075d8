# SPDX-License-Identifier: MIT
"""What a process of either job is to the machine it runs on: signals, output, children."""
