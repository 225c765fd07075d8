# SPDX-License-Identifier: MIT
"""What Wang et al. published on finding the boxes of ChestX-ray14, for a look side by side.

Wang X, Peng Y, Lu L, Lu Z, Bagheri M, Summers RM. ChestX-ray8. CVPR 2017, arXiv:1705.02315v5,
ResNet-50 with heat maps of 32 x 32 cells. Table 7 is of the network for the eight findings of
ChestX-ray8, Table 19 of that for the fourteen of ChestX-ray14. Their boxes: 984 on 880 images.
"""

from trainer.report.sections.published_tables import FINDINGS

SOURCE = "Wang et al., CVPR 2017 (arXiv:1705.02315v5), ResNet-50, Tables 7 (IoU) and 19 (IoBB)"
BOXES, IMAGES = 984, 880

# The eight of ChestX-ray8, which come first in the order of the data set.
_FINDINGS = FINDINGS[:8]

# Threshold -> accuracy of each finding.
_TABLE_7 = {
    0.1: (0.6888, 0.9383, 0.6601, 0.7073, 0.4000, 0.1392, 0.6333, 0.3775),
    0.2: (0.4722, 0.6849, 0.4509, 0.4796, 0.2588, 0.0506, 0.3500, 0.2346),
    0.3: (0.2444, 0.4589, 0.3006, 0.2764, 0.1529, 0.0379, 0.1666, 0.1326),
    0.4: (0.0944, 0.2808, 0.2026, 0.1219, 0.0705, 0.0126, 0.0750, 0.0714),
    0.5: (0.0500, 0.1780, 0.1111, 0.0650, 0.0117, 0.0126, 0.0333, 0.0306),
    0.6: (0.0222, 0.0753, 0.0457, 0.0243, 0.0000, 0.0126, 0.0166, 0.0306),
    0.7: (0.0055, 0.0273, 0.0196, 0.0000, 0.0000, 0.0000, 0.0083, 0.0204),
}
_TABLE_19 = {
    0.1: (0.6222, 1.0000, 0.7974, 0.9106, 0.5882, 0.1519, 0.8583, 0.5204),
    0.25: (0.3944, 0.9863, 0.6339, 0.7967, 0.4588, 0.0506, 0.7083, 0.3367),
    0.5: (0.1944, 0.9452, 0.4183, 0.6504, 0.3058, 0.0000, 0.4833, 0.2653),
    0.75: (0.0889, 0.8151, 0.2287, 0.4390, 0.1647, 0.0000, 0.2917, 0.1735),
    0.9: (0.0722, 0.6507, 0.1373, 0.3577, 0.0941, 0.0000, 0.2333, 0.1224),
}


def accuracy(finding: str) -> dict[str, dict[str, float]] | None:
    """Returns criterion (iou, iobb) -> threshold -> share of boxes; None for other findings.

    >>> accuracy("Mass")["iobb"]["0.25"]
    0.4588
    """
    if finding not in _FINDINGS:
        return None
    at = _FINDINGS.index(finding)
    tables = {"iou": _TABLE_7, "iobb": _TABLE_19}
    return {
        name: {f"{threshold:g}": row[at] for threshold, row in table.items()}
        for name, table in tables.items()
    }
