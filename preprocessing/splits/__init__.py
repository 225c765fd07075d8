# SPDX-License-Identifier: MIT
"""Which images are trained on, validated on and tested on: no patient in two of them."""
