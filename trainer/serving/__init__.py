# SPDX-License-Identifier: MIT
"""From the best network to what others use: the SavedModel and where it is put."""
