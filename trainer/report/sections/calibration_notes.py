# SPDX-License-Identifier: MIT
"""What the section on calibration says in words, chosen by what it found."""

from collections.abc import Mapping, Sequence
from typing import Any

from trainer.evaluation.smooth_calibration import ENOUGH

_FIXED = (
    "Calibrated scores can be read as probabilities: of images scored 0.2 a fifth has the finding. "
    "A good AUC does not need that, and calibrated scores need not have a good AUC.",
    "Brier: mean squared distance of score and label, small for every rare finding. Brier skill "
    "compares it with giving every image the prevalence of the same split: 0 is no better than "
    "that, 1 is perfect. Log loss punishes confident errors hardest.",
    "Observed / expected: images with the finding over the sum of the scores, of which 1 is "
    "perfect; above 1 the finding is more common than the scores say, below 1 rarer. In the large "
    "says the same in log odds, around 0. Slope: below 1 the scores are too extreme, above 1 too "
    "timid. Intercept belongs to that slope.",
    "ECE: the distance between mean score and share with the finding, in bins of equal numbers of "
    "images. Even perfectly calibrated scores have one by chance, which is printed beside it; only "
    "what lies above that is evidence. It has no interval, because resampling adds to such a "
    "distance and the interval would lie too high.",
    "The smooth curves are logistic regressions of the label on a restricted cubic spline of the "
    "score's log odds (Van Calster and others, Journal of Clinical Epidemiology 2016), whose bands "
    "come from drawing patients again. A band holds for one score at a time: somewhere along a "
    "curve, luck alone makes it leave the line of perfect calibration more often than once in "
    "twenty.",
)

# How the scores of each method are called.
METHODS = {
    "none": "as they are",
    "temperature": "temperature",
    "platt": "Platt",
    "isotonic": "isotonic",
}
# A figure, its perfect value, and what scores are where it lies above and below.
_OFF = (
    ("in_the_large", 0.0, "too low", "too high"),
    ("slope", 1.0, "too timid", "too extreme"),
)
_MOVED = {
    ("in_the_large", "up"): "more positives on test",
    ("in_the_large", "down"): "fewer positives on test",
    ("slope", "up"): "a steeper rise on test",
    ("slope", "down"): "a flatter rise on test",
}


def notes_on(section: Mapping[str, Any]) -> list[str]:
    """Returns the notes of a section that is complete but for them."""
    split = section["split"]
    entries = {name: entry[split] for name, entry in section["findings"].items()}
    notes = [*_off(entries, split), *_shift(section), *_bent(entries, split)]
    notes += _post_hoc(section["recalibration"])
    notes += _FIXED
    for name, entry in section["findings"].items():
        if entry[split]["reason"]:
            notes.append(f"{name}: not all is defined, because {entry[split]['reason']}.")
    clipped = sum(entry[split]["clipped"] for entry in section["findings"].values())
    if clipped:
        notes.append(
            f"{clipped:,} scores lie within 1e-7 of 0 or 1; their logits and log losses were "
            "limited to 16.1."
        )
    return notes


def _off(entries: Mapping[str, Any], split: str) -> list[str]:
    """Which findings' scores are off by more than resampling explains, and how."""
    parts = []
    for figure, perfect, above, below in _OFF:
        for words, side in ((above, "low"), (below, "high")):
            sign = 1 if side == "low" else -1
            ends = {name: entry[figure][side] for name, entry in entries.items()}
            off = [
                name
                for name, end in ends.items()
                if end is not None and sign * end > sign * perfect
            ]
            if off:
                parts.append(f"{words} for {_named(off, len(entries))}")
    if not parts:
        return []
    return [f"On {split}, by more than resampling explains, scores are {'; '.join(parts)}."]


def _bent(entries: Mapping[str, Any], split: str) -> list[str]:
    """Where the bands of the smooth curves leave the line of perfect calibration."""
    curves = {name: (entry["reliability"] or {}).get("smooth") for name, entry in entries.items()}
    off = [name for name, found in curves.items() if found and not _holds(found)]
    none = [name for name, found in curves.items() if not found]
    notes = []
    if len(none) < len(curves):
        notes.append(
            f"By the smooth curves on {split}, the 95% band leaves the line of perfect calibration "
            f"somewhere for {_named(off, len(curves))}."
        )
    if none:
        notes.append(
            f"Without a smooth curve: {', '.join(none)}. A curve takes {ENOUGH} images with the "
            f"finding and {ENOUGH} without it, of several patients, and scores that do not part "
            "them."
        )
    return notes


def _holds(found: Mapping[str, Any]) -> bool:
    points = zip(found["scores"], found["low"], found["high"], strict=True)
    return all(low <= score <= high for score, low, high in points)


def _shift(section: Mapping[str, Any]) -> list[str]:
    """A warning where calibration on test is not that on validation."""
    found = {name: entry["shift"] for name, entry in section["findings"].items()}
    if None in found.values():
        return []
    parts = []
    for (figure, direction), words in _MOVED.items():
        names = [name for name, one in found.items() if one["moved"].get(figure) == direction]
        if names:
            parts.append(f"{words} ({_named(names, len(found))})")
    if not parts:
        return ["Calibration on test is that on validation, as far as resampling can tell."]
    worse = [name for name, one in found.items() if one["worse"]]
    return [
        "Warning, calibration shifts from validation to test: equal scores go with "
        f"{'; '.join(parts)}. What is fitted on validation is off by as much on test, and other "
        "hospitals must be expected to differ more. As they are, the scores are calibrated worse "
        f"on test than on validation for {_named(worse, len(found))}. One comparison in twenty "
        "would show a shift by chance."
    ]


def _named(names: Sequence[str], total: int) -> str:
    """Names findings of a total, or all of them, or none."""
    return "all findings" if len(names) == total > 1 else ", ".join(names) or "no finding"


def _post_hoc(found: Mapping[str, Any]) -> list[str]:
    if not found["available"]:
        return [found["reason"]]
    chosen = [entry["chosen"] for entry in found["findings"].values()]
    counts = ", ".join(
        f"{METHODS[kind]} for {chosen.count(kind)}" for kind in METHODS if kind in chosen
    )
    notes = [
        "Platt, temperature and isotonic calibration were fitted on validation, and no test label "
        "took part. Stored for the export is what has the least log loss in a cross-validation "
        f"over validation patients: {counts} of {len(chosen)} findings. "
        "Isotonic is shown, and never stored: it gives ranges of scores one value, and 0 or 1 at "
        "the ends, which changes AUCs and thresholds. The stored maps change neither the order of "
        "scores nor an AUC; a threshold must be mapped along."
    ]
    notes += [
        f"{name}: not every method could be fitted, because {entry['reason']}."
        for name, entry in found["findings"].items()
        if entry["reason"]
    ]
    if found.get("mean") and found["mean"]["findings"]:
        methods = found["mean"]["methods"]
        words = ", ".join(f"{methods[kind]['ece']:.4f} {METHODS[kind]}" for kind in methods)
        notes.append(f"Mean ECE on test over {len(found['mean']['findings'])} findings: {words}.")
    return notes
