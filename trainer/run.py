# SPDX-License-Identifier: MIT
"""What every stage of a run works on."""

import dataclasses
from collections.abc import Callable

from preprocessing.contract.manifest import Manifest
from preprocessing.contract.process.stopping import StopRequests
from trainer.config import Config
from trainer.distribution.runtime import Runtime
from trainer.runfolder import identity


@dataclasses.dataclass(frozen=True)
class Job:
    """Folders, settings, the data set's manifest, the devices, and who wants the process to end.

    Attributes:
        data: folder of the data set.
        output: folder of the run.
        config: all settings.
        manifest: of the data set.
        runtime: the devices.
        stops: whether SIGTERM or Ctrl-C has come.
        guard: called before files are deleted or replaced: ends a process whose run another took.
    """

    data: str
    output: str
    config: Config
    manifest: Manifest
    runtime: Runtime
    stops: StopRequests
    guard: Callable[[], None] = lambda: None

    @property
    def identity(self) -> str:
        """SHA-256 of all that decides the weights."""
        return identity.of(self.config, self.manifest)

    @property
    def record(self) -> str:
        """What `identity` is the SHA-256 of."""
        return identity.record(self.config, self.manifest)
