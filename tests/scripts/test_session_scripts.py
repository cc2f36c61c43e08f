"""The golden scripts of what a session keeps: `scripts/sessions/*.txt`. After a wanted change run pytest with
`--rewrite`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mynode.testing.isolation_script import run_isolation_script

SCRIPTS = sorted((Path(__file__).parent / "sessions").glob("*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_prints_what_it_says(path: Path, rewrite: bool) -> None:
    expected = path.read_text()
    actual = run_isolation_script(expected)
    if rewrite:
        path.write_text(actual)
    else:
        assert actual == expected


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 2
