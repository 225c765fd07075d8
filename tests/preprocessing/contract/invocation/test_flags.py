# SPDX-License-Identifier: MIT
"""A command line of the preprocessing job is understood where Beam is not installed."""

import subprocess
import sys

import pytest

from preprocessing.contract.errors import ConfigError, UsageError
from preprocessing.contract.invocation import flags

NEEDED = ("--images=gs://b/i", "--labels=gs://b/l.csv", "--output=gs://b/o")


def test_flags_become_inputs_and_settings_and_the_others_are_left_for_beam() -> None:
    inputs, config, left = flags.parse(
        ["x", *NEEDED, "--source=csv", "--config.stored_size=64", "--allow_missing", "--runner=No"]
    )
    assert (inputs.images, inputs.labels, inputs.output) == ("gs://b/i", "gs://b/l.csv", "gs://b/o")
    assert (inputs.source, inputs.allow_missing, inputs.boxes) == ("csv", True, "")
    assert config.stored_size == 64
    assert left == ["--runner=No"]


@pytest.mark.parametrize("missing", NEEDED)
def test_what_every_job_needs_is_asked_for(missing: str) -> None:
    name = missing.partition("=")[0]
    with pytest.raises(UsageError, match=f"{name} is missing"):
        flags.parse(["x", *(given for given in NEEDED if given != missing)])


@pytest.mark.parametrize(
    ("argument", "kind"),
    [
        ("--source=mimic", UsageError),
        ("--boxes=gs:/b/x", UsageError),
        ("--config.sise=1", ConfigError),
    ],
)
def test_what_cannot_be_meant_is_refused(argument: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        flags.parse(["x", *NEEDED, argument])


def test_every_path_flag_takes_a_path() -> None:
    assert set(flags.PATH_FLAGS) > {"images", "labels", "output", "pseudonym_key_file"}
    assert "source" not in flags.PATH_FLAGS and "check_md5" not in flags.PATH_FLAGS


def test_beam_is_not_needed() -> None:
    program = (
        "import sys; sys.modules['apache_beam'] = None; "
        "from preprocessing.contract.invocation import flags; "
        f"flags.parse(['x', *{NEEDED!r}])"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("labels", "files"),
    [
        ("a.csv.gz,gs://b/c.json", ["a.csv.gz", "gs://b/c.json"]),
        ("Doe, J/a.csv", ["Doe, J/a.csv"]),
        ("labels.txt", ["labels.txt"]),
    ],
)
def test_labels_may_be_several_files_or_one_with_a_comma(labels: str, files: list[str]) -> None:
    inputs, _, _ = flags.parse(["x", "--images=i", f"--labels={labels}", "--output=o"])
    assert flags.label_files(inputs.labels) == files


def test_each_of_several_label_files_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/x")
    inputs, _, _ = flags.parse(["x", "--images=i", "--labels=~/a.csv,~/b.csv", "--output=o"])
    assert flags.label_files(inputs.labels) == ["/home/x/a.csv", "/home/x/b.csv"]
    with pytest.raises(UsageError, match="--labels=gs:/b.csv would be a path on this machine"):
        flags.parse(["x", "--images=i", "--labels=a.csv,gs:/b.csv", "--output=o"])
