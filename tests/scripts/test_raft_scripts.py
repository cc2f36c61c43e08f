"""The golden scripts of the Raft core: `scripts/raft/*.txt`. After a wanted change run pytest with `--rewrite`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mynode.testing.raft_script import ScriptError, run_script

SCRIPTS = sorted((Path(__file__).parent / "raft").glob("*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_prints_what_it_says(path: Path, rewrite: bool) -> None:
    expected = path.read_text()
    actual = run_script(expected)
    if rewrite:
        path.write_text(actual)
    else:
        assert actual == expected


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 60


def test_the_readme_says_of_each_script_what_it_shows() -> None:
    words = re.findall(r"`(\w+)`", (Path(__file__).parent / "raft" / "README.md").read_text())
    assert set(words) == {path.stem for path in SCRIPTS}


def test_an_unknown_command_is_an_error() -> None:
    with pytest.raises(ScriptError, match="unknown command: jump"):
        run_script("jump 1\n----\n")
