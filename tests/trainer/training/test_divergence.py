# SPDX-License-Identifier: MIT
"""Tests of what is said of a step whose loss is no good."""

import json
import pathlib

import numpy as np

from trainer.training import divergence


def test_the_worst_examples_are_named_and_all_are_noted(tmp_path: pathlib.Path) -> None:
    losses = np.asarray([0.5, np.nan, 3.0, np.inf, 0.1], np.float32)
    error = divergence.explain(
        str(tmp_path),
        step=12,
        loss=float("nan"),
        ids=["a", "b", "c", "d", "e"],
        losses=losses,
        checkpoint="run/checkpoints/ckpt-10",
        writes=True,
    )
    sentence = str(error)
    assert error.exit_code == 78
    assert "the loss of step 12 is nan" in sentence
    assert "b (nan)" in sentence and "d (inf)" in sentence and "and 2 more" in sentence
    assert "run/checkpoints/ckpt-10, is from before" in sentence
    note = json.loads((tmp_path / divergence.NOTE).read_text())
    assert note["step"] == 12
    assert sorted(one["id"] for one in note["examples"]) == list("abcde")
    assert {one["id"] for one in note["examples"][:2]} == {"b", "d"}
    assert [one["id"] for one in note["examples"][2:]] == ["c", "a", "e"]


def test_only_one_process_writes(tmp_path: pathlib.Path) -> None:
    losses = np.ones([2], np.float32)
    error = divergence.explain(
        str(tmp_path), step=0, loss=30.0, ids=["a", "b"], losses=losses, checkpoint="", writes=False
    )
    assert "there is no checkpoint yet" in str(error)
    assert list(tmp_path.iterdir()) == []
