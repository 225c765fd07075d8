# SPDX-License-Identifier: MIT
"""Tells who of the processes of a run is silent, by a small file of each; no TensorFlow.

A process whose threads all stand still keeps its connections, so that its peers wait for it, but
its file stays as it is. No clocks of two hosts are compared.
"""

import contextlib
import json
import threading

from preprocessing.contract.files import storage
from trainer.distribution.cluster import Cluster
from trainer.monitoring.pulse import PULSE

_FOLDER, _LONGEST_S = "heartbeats", 30.0
# So many reads in a row that show nothing new make a process silent.
_SAME = 4


class Heartbeats:
    """Writes the heartbeat of this process, and reads those of others while it waits for them.

    Args:
        output: folder of the run.
        floor: `runtime.stall_seconds`.
        peers: the processes of the run.
    """

    def __init__(self, output: str, floor: float, peers: Cluster) -> None:
        self._folder, self._peers = storage.join(output, _FOLDER), peers
        self._interval_s, self._beats = min(_LONGEST_S, floor / 4), 0
        self._others = [at for at in range(len(peers.tasks)) if at != peers.number]
        self._heard: dict[int, tuple[str, int]] = {}  # text, and how often it was the same

    def start(self, over: threading.Event) -> None:
        """Beats until an event has come, in a thread of its own, since a store may hang."""

        def run() -> None:
            while not over.wait(self._interval_s):
                self.beat()

        if self._others:
            threading.Thread(target=run, name="heartbeats", daemon=True).start()

    def beat(self) -> None:
        """Says what this process does, and looks at the others if it waits for them."""
        phase = PULSE.doing.phase
        self._beats += 1
        said = json.dumps({"phase": phase, "beats": self._beats})
        # The run needs no heartbeats: whatever fails here fails where it counts too.
        with contextlib.suppress(Exception):
            storage.write_text(self._path(self._peers.number), f"{said}\n")
        heard = {}
        for at in self._others if phase == "peers" else []:
            before, same = self._heard.get(at, ("", -1))
            with contextlib.suppress(Exception):
                # One that has never written may not be allowed to: nothing is heard of it.
                text = storage.read_text(self._path(at))
                json.loads(text)["phase"]
                heard[at] = text, same + 1 if text == before else 0
        self._heard = heard

    def blamed(self) -> str:
        """Names who keeps a process that waits from going on; "" while somebody is at work."""
        heard = self._heard
        if silent := [at for at, (_, same) in heard.items() if same >= _SAME]:
            return f"no sign of life from {', '.join(self._peers.names(silent))}"
        phases = [json.loads(text)["phase"] for text, same in heard.values() if text and not same]
        if len(phases) == len(self._others) and set(phases) == {"peers"}:
            return "all processes wait for each other"
        return ""

    def _path(self, at: int) -> str:
        return storage.join(self._folder, f"{at}.json")
