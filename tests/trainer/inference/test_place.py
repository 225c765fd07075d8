# SPDX-License-Identifier: MIT
"""Films get the shortest name that is theirs alone, and those of a data set their own."""

from trainer.inference.place import Place, named


def test_names() -> None:
    places = [
        Place("/x/a/1.png", "", "a/1.png", ""),
        Place("/x/b/1.png", "", "b/1.png", ""),
        Place("/y/b/1.png", "", "b/1.png", ""),
        Place("/x/z.zip", "c/2.png", "c/2.png", ""),
        Place("/d/s.tfrecord", "c/d/3.png", "c/d/3.png", "", "c/d/3.png"),
        Place("/x/ .png", "", "\n", ""),
    ]
    wanted = ["a/1.png", "/x/b/1.png", "/y/b/1.png", "2.png", "c/d/3.png", ".png"]
    assert list(named(places)) == wanted
    assert list(named(places).values()) == places
