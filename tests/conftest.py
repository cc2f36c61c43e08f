"""What all tests share: the `--rewrite` option of the golden scripts, and Ctrl-C."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

settings.register_profile("mynode", deadline=None)  # How fast a machine is, or how busy, says nothing of a test.
settings.load_profile("mynode")


def pytest_configure() -> None:
    """A shell starts what it runs in the background with SIGINT ignored; tests of Ctrl-C need it, in children too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write what the golden scripts print now into their files")


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    """Whether golden scripts shall be rewritten instead of compared."""
    return bool(request.config.getoption("--rewrite"))
