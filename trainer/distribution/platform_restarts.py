# SPDX-License-Identifier: MIT
"""Ends a job that a platform has restarted too often, where the platform itself would never end it.

Restarts after a pre-emption are free, and a fault that looks like one, such as workers that never
find each other, would otherwise go on for ever. What ends starts that get nowhere is
`trainer.training.fruitless_starts`; this also holds where the folder of the run cannot be written.
"""

from collections.abc import Mapping

from preprocessing.contract.errors import ConfigError


def check(environ: Mapping[str, str]) -> None:
    """Compares CXR14_RESTARTS with CXR14_MOST_RESTARTS, both of which the rendered JobSet sets.

    Raises:
        ConfigError: it has been restarted more often.
    """
    done, most = environ.get("CXR14_RESTARTS", ""), environ.get("CXR14_MOST_RESTARTS", "")
    if done.isdecimal() and most.isdecimal() and int(done) > int(most):
        raise ConfigError(
            f"this job has been restarted {done} times, and at most {most} are allowed: look at "
            "what ended it, and send the job again to go on from the last checkpoint"
        )
