# SPDX-License-Identifier: MIT
"""What the section on radiologists' labels says in words follows from its figures."""

from typing import Any

import pytest

from trainer.report.sections import radiologists_words


def area(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


def reference(name: str, gap: float) -> dict[str, Any]:
    """A reference whose mined label is as much more common here as is said, give or take 0.02."""
    common = {
        "here": area(0.1 + gap, 0.1, 0.2),
        "split": area(0.1, 0.1, 0.1),
        "difference": area(gap, gap - 0.02, gap + 0.02),
    }
    known = {key: area(0.8, 0.7, 0.9) for key in ("auc_mined", "auc_radiologists")}
    known["if_random"] = {key: area(0.0, -0.1, 0.9) for key in radiologists_words.IF_RANDOM}
    return {"name": name, "reason": None, "common": common, "other_rule": None, **known}


@pytest.mark.parametrize(
    ("gaps", "said"),
    [
        ((-0.002, 0.01, 0.0), "no share differs by more than resampling explains."),
        ((0.05, 0, -0.04), "One is more common here; Three is less common here."),
    ],
)
def test_findings_are_called_common_only_where_their_shares_differ(
    gaps: tuple[float, ...], said: str
) -> None:
    entries = [reference(*pair) for pair in zip(("One", "Two", "Three"), gaps, strict=True)]
    section = {"images": 90, "patients": 30, "split": "test", "in_file": 90, "unused": ["X"]}
    words = " ".join(radiologists_words.notes_on(section | {"references": entries}))
    assert f"One {0.1 + gaps[0]:.1%} against 10.0%, Two " in words and said in words
    assert "more common among them" not in words
