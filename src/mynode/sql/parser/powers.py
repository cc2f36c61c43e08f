"""How tightly operators bind: PostgreSQL's precedences.

From the loosest to the tightest; each row's operators associate to the left, except where the last column says else:

| level | operators | |
|---|---|---|
| OR | `OR` | one flat node |
| AND | `AND` | one flat node |
| NOT | `NOT` | prefix |
| IS | `IS ...`, `ISNULL`, `NOTNULL` | `IS DISTINCT FROM` does not chain |
| COMPARISON | `= <> < <= > >=` | do not chain: `a < b < c` is an error |
| RANGE | `[NOT] BETWEEN`, `[NOT] IN`, `[NOT] LIKE`, `[NOT] ILIKE` | do not chain |
| OTHER | the other operators: `\\|\\| & \\| # << >>` | prefix `~ @ \\|/ \\|\\|/`: `~ 1 + 2` is -4 |
| ADDITIVE | `+ -` | |
| MULTIPLICATIVE | `* / %` | |
| POWER | `^` | |
| AT | `AT TIME ZONE` | |
| COLLATE | `COLLATE` | |
| SIGN | `+ -` | prefix: `-2 ^ 2` is 4 |
| SUBSCRIPT | `[ ]` | |
| CAST | `::` | |

One difference: the lower bound of BETWEEN is read at the level OTHER, so a comparison in it needs parentheses.
"""

from __future__ import annotations

from typing import Final

OR: Final = 1
AND: Final = 2
NOT: Final = 3
IS: Final = 4
COMPARISON: Final = 5
RANGE: Final = 6
OTHER: Final = 7
ADDITIVE: Final = 8
MULTIPLICATIVE: Final = 9
POWER: Final = 10
AT: Final = 11
COLLATE: Final = 12
SIGN: Final = 13
SUBSCRIPT: Final = 14
CAST: Final = 15
