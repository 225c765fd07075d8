# SPDX-License-Identifier: MIT
"""What the section on operating points says in words: of all, of chosen and of given thresholds."""

from collections.abc import Callable, Mapping
from typing import Any

CHOSEN = (
    "An image is called at a score of at least the threshold. Every threshold was chosen on the "
    "validation split alone and applied to the test split as it is: no test label took part."
)
FLATTERS = (
    "Validation figures are those that the threshold was chosen by and so flatter. What changes "
    "from validation to test is the shift that a threshold has to bear on new patients."
)
GIVEN = (
    "An image is called where the model's score before calibration is at least the threshold. The "
    "thresholds are the model's own: they were chosen on the validation split of the data that it "
    "was made with and are applied to this test as they are: no label of it took part."
)
FIXED = (
    "Sensitivity: the share of images with the finding that are called. Specificity: the share of "
    "images without it that are not called. PPV: the share of called images that have the finding. "
    "NPV: the share of the others that do not have it. F1: the harmonic mean of sensitivity and "
    "PPV. LR+ and LR\N{MINUS SIGN}: by how much a call, or none, multiplies the odds of the "
    "finding. Alerts: called images among 1,000 images of the test split.",
    "The intervals come from drawing the patients of the test split again with the threshold held "
    "fixed. The luck of the validation patients, on whom it was chosen, is not in them.",
)
LIMITS = (
    "PPV, NPV, F1 and alerts hold for the prevalence of the test split. The values at other "
    "prevalences suppose that sensitivity and specificity stay as they are, which is rarely so: "
    "where a finding is rarer it is commonly milder too.",
    "No rule weighs what a missed finding costs against what a false alarm costs: none is a "
    "recommendation for use.",
)


def together(found: Mapping[str, Any], shown: Callable[[Mapping[str, Any], str], str]) -> str:
    """Says what the thresholds of all findings call together, image by image.

    Args:
        found: what `trainer.evaluation.calls_per_image.per_image` returned.
        shown: turns a figure and its format into text, with its interval or without.

    >>> area = {"value": 0.5}
    >>> found = {"findings": 2, "called": area, "calls": area, "right": area}
    >>> together(found | {"unlabelled_called": {"value": None}}, lambda *_: "half")
    'half of the images are called for at least one finding, half findings an image on average; \
half of these calls are right.'
    """
    if not found["findings"]:
        return "No finding has a threshold, and no image is called."
    text = (
        f"{shown(found['called'], '.1%')} of the images are called for at least one finding, "
        f"{shown(found['calls'], '.2f')} findings an image on average"
    )
    if found["right"]["value"] is not None:
        text += f"; {shown(found['right'], '.1%')} of these calls are right"
    if found["unlabelled_called"]["value"] is None:
        return f"{text}."
    plain = shown(found["unlabelled_called"], ".1%")
    return f"{text}. Of images labelled with none of the findings, {plain} are called."
