# SPDX-License-Identifier: MIT
"""What may not pass is refused by one sentence, whoever sends it."""

import httpx
import pytest


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "localhost:1"}, 200),
        ({"host": "[::1]:1"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_only_its_own_page_and_name_may_call(
    client: httpx.Client, headers: dict[str, str], status: int
) -> None:
    found = client.get("/api/model", headers=headers)
    assert found.status_code == status
    assert (status == 200) or set(found.json()) == {"error"}
