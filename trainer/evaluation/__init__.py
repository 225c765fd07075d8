# SPDX-License-Identifier: MIT
"""What predictions are worth: scoring, AUC and its uncertainty."""
