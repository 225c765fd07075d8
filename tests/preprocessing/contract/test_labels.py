# SPDX-License-Identifier: MIT
"""Label texts become one number a finding, and nothing that is not a finding passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.contract import labels
from preprocessing.contract.errors import DataError
from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS


def test_targets_stand_in_the_order_of_the_findings_not_of_the_text() -> None:
    assert labels.encode("Hernia|Atelectasis", CHESTXRAY14_FINDINGS) == (1, *[0] * 12, 1)


def test_no_finding_is_all_absent() -> None:
    assert labels.encode("No Finding", CHESTXRAY14_FINDINGS) == (0,) * 14


def test_spaces_around_names_do_not_matter() -> None:
    assert labels.encode(" Mass | Edema ", ["Edema", "Mass", "Nodule"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Fracture", "'Fracture' is not among the 14"),
        ("mass", "'mass' is not among"),
        ("", "'' is not among"),
        ("Mass|", "'' is not among"),
        ("Mass|Mass", "twice"),
        ("No Finding|Mass", "beside"),
        ("No Finding|No Finding", "beside"),
    ],
)
def test_a_text_that_means_nothing_is_refused_by_name(text: str, part: str) -> None:
    with pytest.raises(DataError, match=part):
        labels.encode(text, CHESTXRAY14_FINDINGS)


def test_decode_leaves_out_unknown_and_absent_findings() -> None:
    targets = (labels.UNKNOWN, labels.PRESENT, labels.ABSENT)
    assert labels.decode(targets, ["A", "B", "C"]) == "B"
    assert labels.decode((labels.UNKNOWN,), ["A"]) == labels.NO_FINDING


@given(st.lists(st.sampled_from([labels.PRESENT, labels.ABSENT]), min_size=14, max_size=14))
def test_encode_reads_what_decode_writes(targets: list[int]) -> None:
    text = labels.decode(targets, CHESTXRAY14_FINDINGS)
    assert labels.encode(text, CHESTXRAY14_FINDINGS) == tuple(targets)
