# SPDX-License-Identifier: MIT
"""What the figures of the section on localisation mean, and what they do not mean, in words."""

from collections.abc import Mapping
from typing import Any


def notes(section: Mapping[str, Any]) -> list[str]:
    """Returns the statements of the section.

    Args:
        section: `report["localisation"]`, but for its notes.
    """
    cell, low, high = section["cell_share"], *(round(255 * at) for at in section["thresholds"])
    found = [
        f"{section['boxes']} boxes of {len(section['findings'])} findings on {section['images']} "
        f"test images of {section['patients']} patients. A heat map (Grad-CAM of the last "
        f"convolution, {section['cells']} x {section['cells']} cells) is made for each finding "
        "that has a box, whatever its score.",
        "A heat map shows what moved the score, not where disease is. In a comparison with "
        "radiologists Grad-CAM was the best of seven such methods and still clearly worse than "
        "they were (Saporta et al., Nat. Mach. Intell. 2022). It is no outline and no proof that "
        "the model looks at the right thing.",
        f"A cell is {100 * cell:.0f}% of the picture wide: a finding smaller than that can be "
        "pointed at, but not outlined. Each cell is laid where its receptive field is centred; "
        "maps stretched over the picture, as is usual, lie half a cell too far right and down. A "
        "map points at the centre of a cell; reachable is the share of cases whose boxes hold any "
        "such centre, which no map of this size can exceed in the pointing game.",
        f"Boxes are drawn round all regions above {low} and above {high} of 255, as by Wang et al. "
        "2017. No threshold was chosen on the boxes. Measures ask for more than the threshold. "
        "IoBB divides by the drawn box, so a small box anywhere inside the true one counts fully.",
        _against_average(section),
        "The two simple answers are made of the boxes of the other patients of this test set. "
        "They see no picture.",
        "False positives are counted on the images that have a box of the finding. Those of Wang "
        "et al. are not put beside them: the steps of their figures show a count over all images "
        "with boxes, and which maps were made for those is not documented.",
        "Intervals are by the patient-level bootstrap; a share of 0 or 1, or over fewer than 20 "
        "patients, has the interval of Wilson, with patients as trials.",
    ]
    return [*found, *_occasional(section)]


def _occasional(section: Mapping[str, Any]) -> list[str]:
    """What need not be said of every set of boxes."""
    found = []
    if section["findings_in_mean"] < len(section["findings"]):
        found.append(
            f"Means are over the {section['findings_in_mean']} findings in which every answer is "
            "defined: an average box needs a second patient."
        )
    outside = section["outside"]
    if outside["boxes_cut"]:
        found.append(
            f"The network looks at the centre of the picture: {outside['boxes_cut']} boxes reach "
            f"out of it, {outside['boxes_lost']} lie wholly outside, and "
            f"{100 * outside['mean_share']:.1f}% of the area of a box is lost on average. Boxes "
            "are not cut, so what is not seen counts as missed."
        )
    if section["maps_without_heat"]:
        found.append(
            f"{section['maps_without_heat']} maps hold no heat at all and count as missed."
        )
    if section["published"]["comparable"]:
        found.append(
            "Wang et al. drew their boxes on maps of 32 x 32 cells, of pictures of 1024 pixels; "
            "their IoU is of a network for eight findings, their IoBB of one for fourteen."
        )
    else:
        found.append(f"No published figures are shown: {section['published']['reason']}.")
    return found


def _against_average(section: Mapping[str, Any]) -> str:
    """Says for how many findings the map beats the average box at pointing."""
    gains = {
        name: entry["methods"]["heat_map"]["pointing_minus_average_box"]
        for name, entry in section["findings"].items()
    }
    better = [name for name, gain in gains.items() if gain["low"] is not None and gain["low"] > 0]
    return (
        "Where a heat map does no better than the average box of its finding, it says no more than "
        "where that finding usually lies. In the pointing game its lead over the average box "
        f"exceeds chance (a 95% interval above zero) for {len(better)} of {len(gains)} findings"
        + (f": {', '.join(better)}." if better else ".")
    )
