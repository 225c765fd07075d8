# SPDX-License-Identifier: MIT
"""Tests of traces: real ones, read back."""

import pathlib
from collections.abc import Iterator

import pytest
import tensorflow as tf

from trainer.monitoring.profiling import Profiler


@pytest.fixture(autouse=True)
def _no_trace_is_left() -> Iterator[None]:
    yield
    with pytest.raises(tf.errors.UnavailableError):
        tf.profiler.experimental.stop(save=False)


def traces(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob("plugins/profile/*/*.xplane.pb"))


def run(profiler: Profiler, calls: list[tuple[int, int]]) -> None:
    """Runs host calls, each from so many steps done to so many."""

    @tf.function
    def steps(count: tf.Tensor) -> tf.Tensor:
        value = tf.ones([64, 64])
        for _ in tf.range(count):
            value = tf.linalg.matmul(value, value) / 64
        return value

    for first, last in calls:
        profiler.before(first)
        steps(tf.constant(last - first)).numpy()
        profiler.after(last)


def marks(trace: pathlib.Path) -> list[int]:
    """Returns the step numbers of the host calls in a trace."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(trace.read_bytes())
    found = []
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                if plane.event_metadata[event.metadata_id].name == "train":
                    stats = {plane.stat_metadata[s.metadata_id].name: s for s in event.stats}
                    found.append(int(stats["step_num"].int64_value))
    return sorted(found)


def test_exactly_the_calls_of_the_span_are_traced(tmp_path: pathlib.Path) -> None:
    profiler = Profiler(str(tmp_path), (4, 9))
    assert profiler.duties == (3, 9)
    run(profiler, [(0, 3), (3, 6), (6, 9), (9, 12)])
    (trace,) = traces(tmp_path)
    assert marks(trace) == [4, 7]
    assert b"MatMul" in trace.read_bytes()


def test_a_run_that_goes_on_in_the_span_traces_the_rest(tmp_path: pathlib.Path) -> None:
    run(Profiler(str(tmp_path), (4, 9)), [(6, 9), (9, 12)])
    (trace,) = traces(tmp_path)
    assert marks(trace) == [7]


@pytest.mark.parametrize("calls", [[(9, 12)], [(0, 3)]])
def test_a_run_outside_the_span_traces_nothing(
    tmp_path: pathlib.Path, calls: list[tuple[int, int]]
) -> None:
    profiler = Profiler(str(tmp_path), (4, 9))
    run(profiler, calls)
    profiler.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder_and_span", [("", (1, 2)), ("log", None)])
def test_workers_that_are_not_chief_and_runs_without_a_span_trace_nothing(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    folder_and_span: tuple[str, tuple[int, int] | None],
) -> None:
    monkeypatch.chdir(tmp_path)
    profiler = Profiler(*folder_and_span)
    assert profiler.duties == ()
    run(profiler, [(0, 1), (1, 2)])
    profiler.close()
    assert list(tmp_path.iterdir()) == []


def test_training_that_ends_inside_the_span_leaves_the_trace_so_far(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profiler = Profiler(str(tmp_path), (1, 100))
    run(profiler, [(0, 2)])
    profiler.before(2)  # a call that fails never gets to `after`
    profiler.close()
    profiler.close()
    (trace,) = traces(tmp_path)
    assert marks(trace) == [1, 3]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith(f" INFO profile written below {tmp_path}/plugins/profile")


def test_a_profiler_that_is_taken_is_reported_and_steps_go_on(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tf.profiler.experimental.start(str(tmp_path / "other"))
    profiler = Profiler(str(tmp_path / "own"), (1, 2))
    run(profiler, [(0, 1), (1, 2)])
    profiler.close()
    tf.profiler.experimental.stop(save=False)
    assert not (tmp_path / "own").exists()
    (line,) = capsys.readouterr().err.splitlines()
    assert " WARNING these steps cannot be profiled: " in line
