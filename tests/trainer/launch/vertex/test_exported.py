# SPDX-License-Identifier: MIT
"""Only a run that is whole is registered, with the figures of its own report."""

import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.errors import DataError
from preprocessing.contract.files import storage
from trainer.launch.vertex import exported


def test_figures_are_spelt_as_labels_and_said_with_their_intervals(
    tmp_path: pathlib.Path, make_run: Callable[[str], str], report: dict[str, Any]
) -> None:
    digest = make_run(str(tmp_path))
    found = exported.read(str(tmp_path))
    assert (found.folder, found.digest) == (f"{tmp_path}/saved_model", digest)
    mean = report["splits"]["test"]["mean_auc"]
    area = report["splits"]["test"]["findings"]["Pleural_Thickening"]["auc"]
    assert found.labels == {
        "step": "1200",
        "auc-test_mean": f"{mean['value']:.4f}".replace(".", "-"),
        "auc-pleural_thickening": f"{area['value']:.4f}".replace(".", "-"),
        "auc-hernia": "undefined",
    }
    assert found.words == (
        "AUC on the 120 images of test (95% interval): test mean "
        f"{mean['value']:.3f} ({mean['low']:.3f} to {mean['high']:.3f}), Pleural_Thickening "
        f"{area['value']:.3f} ({area['low']:.3f} to {area['high']:.3f}), Hernia undefined"
    )


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("saved_model/saved_model.pb", "holds no complete export"),
        ("saved_model/assets.extra/export.json", "holds no complete export"),
        ("report/report.json", "is missing or not complete"),
    ],
)
def test_a_run_that_lacks_a_part_is_refused(
    tmp_path: pathlib.Path, make_run: Callable[[str], str], lost: str, said: str
) -> None:
    make_run(str(tmp_path))
    storage.delete(f"{tmp_path}/{lost}")
    with pytest.raises(DataError, match=said):
        exported.read(str(tmp_path))


def test_an_export_of_an_older_report_is_refused(
    tmp_path: pathlib.Path, make_run: Callable[[str], str]
) -> None:
    make_run(str(tmp_path))
    (tmp_path / "report/report.json").write_text('{"splits": {}}')
    with pytest.raises(DataError, match="is not the report that the export in"):
        exported.read(str(tmp_path))


def test_names_are_cut_to_what_a_label_holds() -> None:
    assert exported.spelled("AUC of Läsion/" + "x" * 80) == "auc_of_l-sion-" + "x" * 49
