"""The golden scripts of isolation, and of what a session keeps: `scripts/isolation/*.txt`, `scripts/sessions/*.txt`.
After a wanted change run pytest with `--rewrite`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mynode.testing.isolation_script import run_isolation_script

FOLDER = Path(__file__).parent
ISOLATION = sorted((FOLDER / "isolation").glob("*.txt"))
SESSIONS = sorted((FOLDER / "sessions").glob("*.txt"))


@pytest.mark.parametrize("path", ISOLATION + SESSIONS, ids=lambda path: path.stem)
def test_script_prints_what_it_says(path: Path, rewrite: bool) -> None:
    expected = path.read_text()
    actual = run_isolation_script(expected)
    if rewrite:
        path.write_text(actual)
    else:
        assert actual == expected


def test_there_are_scripts() -> None:
    assert len(ISOLATION) >= 20
    assert len(SESSIONS) >= 2
