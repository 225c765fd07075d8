# SPDX-License-Identifier: MIT
"""Settings of Matplotlib that another project left behind change nothing."""

import os
import pathlib
from collections.abc import Callable
from typing import Any

from trainer.predictions.table import Predictions
from trainer.report import report as reporting
from trainer.report.plot_files import plot_files
from trainer.report.source import Source

_WRITE = """
import sys
from report.conftest import made_predictions
from trainer.network import keras_home
from trainer.report import report, source
keras_home.ignore()
report.write(sys.argv[1], report.build(source.Source(made_predictions(), resamples=2)))
"""


def test_settings_of_shell_home_and_working_folder_change_nothing(
    tmp_path: pathlib.Path, make: Callable[..., Predictions], fresh_python: Any
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    (tmp_path / "matplotlibrc").write_bytes(b"font.size: 30\n\xff\xfe")
    shell = {"MPLBACKEND": "bogus", "MATPLOTLIBRC": str(tmp_path), "MPLCONFIGDIR": str(tmp_path)}
    shell |= {"HOME": os.devnull, "TMPDIR": str(temporary)}
    done = fresh_python("-c", _WRITE, f"{tmp_path}/run", environ=shell, cwd=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    expected = plot_files(reporting.build(Source(make(), resamples=2)))
    plots = tmp_path / "run" / "report" / "plots"
    assert {path.name: path.read_bytes() for path in plots.iterdir()} == expected
    assert list(temporary.iterdir()) == []


def test_nothing_but_the_figures_loads_matplotlib(fresh_python: Any) -> None:
    code = "import sys; from trainer import modes, task; print('matplotlib' in sys.modules)"
    assert fresh_python("-c", code).stdout == "False\n"
