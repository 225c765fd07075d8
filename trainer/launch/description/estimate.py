# SPDX-License-Identifier: MIT
"""The section `estimate` of a job file: figures of its owner that tell before what it costs."""

import dataclasses

from preprocessing.contract.settings.declaration import FREE, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """How fast the job trains and what its machines cost; what is left out is not guessed."""

    images_per_second: float | None = setting(None, FREE, ge=0.001, le=1e9, unit="images/s")
    """Speed of training over all machines, as a run of this recipe on them has shown; see
    train/images_per_second in its TensorBoard."""
    price_per_hour: float | None = setting(None, FREE, ge=0.0, le=1e9, unit="per hour")
    """What you pay for one machine with its accelerators, in `currency` an hour."""
    currency: str = setting("USD", FREE, pattern="[A-Z]{3}", form="three letters such as EUR")
    """Currency of `price_per_hour`."""
