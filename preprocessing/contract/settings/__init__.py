# SPDX-License-Identifier: MIT
"""How both jobs read their settings: defaults, YAML files, flags."""
