# SPDX-License-Identifier: MIT
"""A finished data set with boxes, and the label file that it was made from."""

import dataclasses
import pathlib
from collections.abc import Callable

import pandas as pd
import pytest
from markupsafe import Markup

from preprocessing import phantom, pipeline, verify
from preprocessing.contract import manifest
from preprocessing.contract.invocation.config import Config
from preprocessing.contract.invocation.flags import Inputs
from preprocessing.contract.tables import Cell, Table
from preprocessing.verify import Brief, Reading


@dataclasses.dataclass
class Finished:
    """A data set of 120 pictures of 48 pixels; no test may change it."""

    source: pathlib.Path
    folder: pathlib.Path

    @property
    def manifest(self) -> manifest.Manifest:
        return manifest.read(str(self.folder))

    def readings(self) -> list[Reading]:
        return verify.read_all(str(self.folder), self.manifest, [], title="reading")

    def labels(self) -> pd.DataFrame:
        """The label file, with the split of each image."""
        table = pd.read_csv(self.source / "Data_Entry_2017_v2020.csv", index_col="Image Index")
        splits = {brief.id: one.split for one in self.readings() for brief in one.briefs}
        return table.assign(split=pd.Series(splits))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("card")
    source = folder / "source"
    phantom.write(str(source), images=120, seed=5, prevalence="raised", size_px=48, processes=1)
    inputs = Inputs(
        images=str(source),
        labels=str(source / "Data_Entry_2017_v2020.csv"),
        train_val_list=str(source / "train_val_list.txt"),
        test_list=str(source / "test_list.txt"),
        boxes=str(source / "BBox_List_2017.csv"),
        output=str(folder / "data"),
    )
    config = Config(stored_size=48, examples_per_shard=30, validation_fraction=0.3)
    pipeline.run(inputs, config, [])
    return Finished(source, folder / "data")


@pytest.fixture
def brief() -> Brief:
    return Brief(
        id="a.png",
        patient="1",
        targets=(1, 0, -1),
        view="PA",
        sex="F",
        age=50,
        follow_up=0,
        width=2500,
        height=2048,
        box_findings=(),
        boxes=(),
        digest="",
        start=12,
        length=1,
    )


@pytest.fixture(scope="session")
def shown() -> Callable[[Table], list[list[str]]]:
    """A function that returns the texts of a table's rows, without drawings."""

    def texts(table: Table) -> list[list[str]]:
        rows = [[Cell(one) if isinstance(one, str) else one for one in row] for row in table.rows]
        return [[cell.text for cell in row if not isinstance(cell.text, Markup)] for row in rows]

    return texts
