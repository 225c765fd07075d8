# SPDX-License-Identifier: MIT
"""Published results agree with themselves and with the published label file."""

from pathlib import Path

import numpy as np
import pytest

from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS
from trainer.predictions import metadata
from trainer.report.sections.published_tables import FINDINGS, LEVELS, RESULTS, TEST_POSITIVES


def test_the_findings_are_those_of_the_data_set() -> None:
    assert tuple(CHESTXRAY14_FINDINGS) == FINDINGS


def test_every_published_mean_is_the_mean_of_its_findings() -> None:
    tables = [result for result in RESULTS if result.findings]
    assert len(tables) >= 5
    for result in tables:
        assert len(result.findings) == 14
        assert np.mean(result.findings) == pytest.approx(result.mean_auc, abs=6e-4), result.name


def test_every_result_has_a_source_and_its_interval_holds_it() -> None:
    for result in RESULTS:
        assert result.source and 0.5 < result.mean_auc < 0.9 and 2017 <= result.year <= 2026
        assert (result.low is None) == (result.high is None)
        if result.low is not None:
            assert result.low < result.mean_auc < result.high
        assert result.chosen_on in ("", "validation", "test")
        as_json = result.as_json()
        assert list(as_json["findings"]) == list(FINDINGS)
        if not result.findings:
            assert set(as_json["findings"].values()) == {None}


def test_levels_rise() -> None:
    assert [level.mean_auc for level in LEVELS] == sorted(level.mean_auc for level in LEVELS)


def test_positives_are_those_of_the_label_file(nih: Path) -> None:
    known = metadata.read(str(nih / "Data_Entry_2017_v2020.csv"))
    test = np.isin(known.ids, (nih / "test_list.txt").read_text().split())
    counted = dict(zip(known.findings, known.labels[test].sum(axis=0).tolist(), strict=True))
    assert counted == TEST_POSITIVES
