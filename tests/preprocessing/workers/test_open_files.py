# SPDX-License-Identifier: MIT
"""Too few files that may be open are refused before anything waits for them."""

import subprocess
import sys

import pytest

_PROGRAM = """
import resource, sys
from preprocessing.workers import open_files
from preprocessing.contract.errors import ResourceError
resource.setrlimit(resource.RLIMIT_NOFILE, (40, int(sys.argv[1])))
try:
    open_files.reserve(4)
except ResourceError as error:
    print(error)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("hard", "said"),
    [
        (50, "this process may open 50 files at a time, and 64 are needed: raise the limit"),
        (500, "64"),
    ],
)
def test_the_limit_is_raised_where_it_may_be_and_else_named(
    hard: int, said: str, pytestconfig: pytest.Config
) -> None:
    command = [sys.executable, "-c", _PROGRAM, str(hard)]
    done = subprocess.run(
        command, cwd=pytestconfig.rootpath, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(said)
