"""What all tests share: the `--rewrite` option of the golden scripts."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write what the golden scripts print now into their files")


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    """Whether golden scripts shall be rewritten instead of compared."""
    return bool(request.config.getoption("--rewrite"))
