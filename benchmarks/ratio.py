# SPDX-License-Identifier: MIT
"""One line of the benchmark table."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Ratio:
    """Two speeds measured in one run.

    Attributes:
        work: what was done.
        ours: images/s of this project.
        alternative: what it is compared with.
        theirs: images/s of the alternative.
        aim: the ratio that we want.
    """

    work: str
    ours: float
    alternative: str
    theirs: float
    aim: str
