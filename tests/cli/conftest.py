# SPDX-License-Identifier: Apache-2.0
"""What the tests of the program share."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from cli_program import Program


def pytest_configure() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so would the tests of it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def cli(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def shop(cli: Program) -> Program:
    """A program whose storage has the frame shop.sales.orders with three rows."""
    (cli.folder / "orders.csv").write_text(
        "id,customer,amount\n1,ann,10.50\n2,bob,4.00\n3,ann,2.50\n", encoding="utf-8"
    )
    cli.good("import", "shop.sales.orders", "orders.csv")
    return cli
