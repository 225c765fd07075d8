# SPDX-License-Identifier: MIT
"""The flags of the trainer's command line that are about several runs."""

import dataclasses
from collections.abc import Sequence

from absl import flags

from preprocessing.contract.errors import UsageError
from preprocessing.contract.files import given_paths
from preprocessing.contract.settings import command_line

NAMES = ("runs", "seeds", "folds", "fold")


@dataclasses.dataclass(frozen=True)
class Several:
    """What a command line asks for beside one run.

    Attributes:
        runs: to compare.
        seeds: how many runs to train that differ in the seed; 0 for one run alone.
        folds: how many runs to train, each of which validates on another fold; 0 likewise.
        fold: of a data set that was divided into folds, the one that validates.
        arguments: the command line as it was given, without the program's name.
    """

    runs: tuple[str, ...] = ()
    seeds: int = 0
    folds: int = 0
    fold: int | None = None
    arguments: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    def check(self, mode: str) -> None:
        """Raises UsageError for a flag that does not fit the mode or another one."""
        if "" in self.runs:
            raise UsageError("--runs has a comma with no path beside it: remove the comma")
        if (mode == "compare") != bool(self.runs) or len(self.runs) == 1:
            raise UsageError(
                "--mode=compare and --runs=RUN,RUN go together: name two or more finished runs, "
                "the one first that the others are compared with"
            )
        if self.seeds and self.folds:
            raise UsageError("--seeds and --folds cannot be combined: give one of them")
        for name in ("seeds", "folds"):
            count = getattr(self, name)
            if count and (mode != "all" or count < 2 or self.fold is not None):
                raise UsageError(
                    f"--{name}={count} is not allowed: give 2 or more, with --mode=all and no "
                    "--fold; or leave it out, for one run"
                )


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_list(
        "runs",
        [],
        "Runs to compare with the first of them, or predictions files, with commas between them; "
        "with --mode=compare, which writes comparison.json and comparison.csv into --output, if "
        "that is given. Its intervals and p come from config.evaluation.bootstrap_resamples "
        "resamples of patients, 1,000 unless set.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "seeds",
        0,
        "Train so many runs, one after another, that differ in the seed alone, from config.seed "
        "on, into OUTPUT/seed-SEED, and make one report over them; with --mode=all.",
        lower_bound=0,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "folds",
        0,
        "Divide the train and validation splits into so many folds by patient, in OUTPUT/folds (a "
        "copy of the data set), train a run for each, which validates on it, into OUTPUT/fold-N, "
        "and make one report over them; with --mode=all.",
        lower_bound=0,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "fold",
        None,
        "The fold that validates, where --data is an OUTPUT/folds of --folds.",
        lower_bound=0,
        flag_values=values,
    )


def given(values: flags.FlagValues, argv: Sequence[str]) -> Several:
    """Returns what was given.

    Args:
        values: the flags, parsed.
        argv: the command line, program name first.

    Raises:
        UsageError: a path that cannot be meant.
    """
    return Several(
        runs=tuple(given_paths.checked("--runs", path) for path in values.runs),
        seeds=values.seeds,
        folds=values.folds,
        fold=values.fold,
        arguments=tuple(command_line.with_files(argv, values)[1:]),
    )
