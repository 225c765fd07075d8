# SPDX-License-Identifier: MIT
"""What every stage of a run works on."""

import dataclasses
from collections.abc import Callable

import keras
from absl import logging

from preprocessing.contract.manifest import Manifest
from preprocessing.contract.process.stopping import StopRequests
from trainer.checkpoints import earlier
from trainer.config import Config
from trainer.distribution.runtime import Runtime
from trainer.monitoring.ledger import Ledger
from trainer.monitoring.outlook import Outlook
from trainer.network import model
from trainer.network.scorer import Scorer
from trainer.runfolder import identity


@dataclasses.dataclass(frozen=True)
class Run:
    """Folders, settings, the data set's manifest, the devices, and who wants the process to end.

    Attributes:
        data: folder of the data set.
        output: folder of the run.
        config: all settings.
        manifest: of the data set.
        runtime: the devices.
        stops: whether SIGTERM or Ctrl-C has come.
        guard: called before files are deleted or replaced: ends a process whose run another took.
        ledger: keeps where the time of the run goes.
        outlook: says when the run ends.
    """

    data: str
    output: str
    config: Config
    manifest: Manifest
    runtime: Runtime
    stops: StopRequests
    guard: Callable[[], None] = lambda: None
    ledger: Ledger = dataclasses.field(default_factory=Ledger)
    outlook: Outlook = dataclasses.field(default_factory=Outlook)

    @property
    def identity(self) -> str:
        """SHA-256 of all that decides the weights."""
        return identity.of(self.config, self.manifest)

    @property
    def record(self) -> str:
        """What `identity` is the SHA-256 of."""
        return identity.record(self.config, self.manifest)

    def build(self, *, pretrained: bool, distributed: bool = True) -> model.Model:
        """Builds the network of the run.

        Args:
            pretrained: whether to load the weights that training starts from.
            distributed: False for a network of this process alone.
        """
        prevalence = self.manifest.splits["train"].prevalence
        from_run = earlier.is_run(self.config.model.weights)
        with model.seeded(self.config.seed):
            built = model.build(
                self.config.model,
                image_size=self.config.data.image_size,
                findings=len(self.manifest.findings),
                pretrained=pretrained and not from_run,
                prevalence=[prevalence[name] for name in self.manifest.findings],
                strategy=self.runtime.strategy if distributed else None,
            )
        if pretrained and from_run:
            logging.info(earlier.fill(built.network, self.config.model, self.manifest))
        return built

    def scorer(self, network: keras.Model, folder: str = "", *, views: str = "one") -> Scorer:
        """Returns what scores splits, which lie in the data set or in a copy of it, by views."""
        return Scorer(
            self.runtime,
            network,
            folder=folder or self.data,
            manifest=self.manifest,
            data=self.config.data,
            global_batch=self.config.evaluation_batch_size,
            views=views,
        )
