"""The golden scripts of SQL, `scripts/sql/*.txt`, and those of the optimizer's rules, `scripts/optimizer/*.txt`.

After a wanted change run pytest with `--rewrite`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mynode.sql.optimizer.optimizer import ALL_RULES
from mynode.sql.optimizer.rewriting import Rule
from mynode.testing.sql_script import run_rule_script, run_sql_script

SCRIPTS = sorted((Path(__file__).parent / "sql").glob("*.txt"))


RULE_SCRIPTS = Path(__file__).parent / "optimizer"


def check(path: Path, actual: str, rewrite: bool) -> None:
    if rewrite:
        path.write_text(actual)
    else:
        assert actual == path.read_text()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_prints_what_it_says(path: Path, rewrite: bool) -> None:
    check(path, run_sql_script(path.read_text()), rewrite)


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.__name__)
def test_a_rule_does_what_its_script_says(rule: Rule, rewrite: bool) -> None:
    path = RULE_SCRIPTS / f"{rule.__name__}.txt"
    check(path, run_rule_script(path.read_text(), rule), rewrite)
    assert "before:" in path.read_text()


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 10
    assert {path.stem for path in RULE_SCRIPTS.iterdir()} == {rule.__name__ for rule in ALL_RULES}
