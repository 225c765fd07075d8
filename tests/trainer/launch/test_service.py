# SPDX-License-Identifier: MIT
"""The advice to install packages is what the extra `launch` asks for."""

import pathlib

from trainer.launch import service

ROOT = pathlib.Path(__file__).parents[3]


def test_the_packages_are_those_of_the_extra() -> None:
    text = (ROOT / "setup.py").read_text()
    extra = text[text.index('"launch": [') : text.index('"tensorflow-io": [')]
    for package in (*service.VERTEX_PACKAGES, *service.KUBERNETES_PACKAGES):
        assert f'"{package}"' in extra
