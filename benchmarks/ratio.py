# SPDX-License-Identifier: MIT
"""One line of the benchmark table."""

import dataclasses

HEADER = "| work | this project | alternative | ratio | aim |\n|---|---|---|---|---|"


@dataclasses.dataclass(frozen=True)
class Ratio:
    """Two figures measured in one run.

    Attributes:
        work: what was done.
        ours: figure of this project.
        alternative: what it is compared with.
        theirs: figure of the alternative; None if it could not be run here.
        aim: the ratio that we want.
        unit: of both figures. A ratio above 1 says that this project is the faster one: of speeds
            ours / theirs, of seconds theirs / ours.
        absent: why the alternative could not be run.
    """

    work: str
    ours: float
    alternative: str
    theirs: float | None
    aim: str
    unit: str = "images/s"
    absent: str = ""

    def line(self) -> str:
        """Returns the line as Markdown."""
        ours = f"{self.ours:.1f} {self.unit}"
        if self.theirs is None:
            return f"| {self.work} | {ours} | {self.alternative}: NOT RUN | - | {self.aim} |\n" + (
                f"| | | {self.absent} | | |"
            )
        theirs = f"{self.theirs:.1f} {self.unit}"
        speedup = self.theirs / self.ours if self.unit == "s" else self.ours / self.theirs
        return (
            f"| {self.work} | {ours} | {self.alternative}: {theirs} | {speedup:.3g} | {self.aim} |"
        )
