# SPDX-License-Identifier: MIT
"""A command line that cannot be meant gets one sentence."""

import pytest

from preprocessing.contract.errors import UsageError
from trainer.inference import flags


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("a.png", "either --model=DIR or --mean_of"),
        ("--model=m --mean_of=a,b a.png", "either --model=DIR or --mean_of"),
        ("--mean_of=a,a a.png", "twice"),
        ("--model=m", "no film is given"),
        ("--model=m a.png --output=a.txt", "must end in .csv, .parquet, .jsonl"),
        ("--model=m a.png --labels=l.csv", "--labels goes with --output"),
        ("--model=m a.png --labels=l.csv --output=a.jsonl", "--labels needs"),
        ("--model=m a.png --report=r --output=a.csv", "--report goes with --labels"),
        ("--model=m a.png --require=findings.0==A --output=a.csv", "--require goes with --labels"),
        ("--model=m a.png --heatmap_findings=Mass", "--heatmap_findings goes with"),
        ("--model=m films --heatmaps=films/maps", "inside INPUT"),
        ("--model=m list.csv --output=x/../list.csv", "is a file that is read"),
        ("--model=m a.png --output=l.csv --labels=l.csv", "is a file that is read"),
        ("--model=m --serve a.png", "leave INPUT and --output out"),
        ("--model=gs:/m a.png", "two slashes"),
        ("--model=m a.png --batch_size=0", "batch_size"),
        ("--model=m a.png --rate=1", "rate"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        flags.parse(["cxr14-predict", *arguments.split()])


def test_flags_become_options() -> None:
    given = ["--mean_of=a,gs://b/m", "x.png", "'y/*.dcm'", "--output=o.CSV", "--rule=youden"]
    options = flags.parse(["cxr14-predict", *given])
    assert options.models == ("a", "gs://b/m") and options.inputs == ("x.png", "'y/*.dcm'")
    assert (options.split, options.batch_size, options.port) == ("test", 16, 8000)
    assert "--output" in flags.parse(["cxr14-predict", "--help"]).help


def test_vertex_says_which_model_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIP_STORAGE_URI", "gs://b/m")
    assert flags.parse(["cxr14-predict", "--serve"]).models == ("gs://b/m",)
    assert flags.parse(["cxr14-predict", "--serve", "--model=m"]).models == ("m",)
    assert flags.parse(["cxr14-predict", "--serve", "--mean_of=a,b"]).models == ("a", "b")
    with pytest.raises(UsageError, match="either --model=DIR"):
        flags.parse(["cxr14-predict", "a.png"])
