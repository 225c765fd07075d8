# SPDX-License-Identifier: MIT
"""From films to answers: scores of files, tables, heat maps; imports no TensorFlow at the start."""
