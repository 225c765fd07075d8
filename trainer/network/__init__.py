# SPDX-License-Identifier: MIT
"""The network: its layers, the weights it starts from, and what scores pictures with it."""
