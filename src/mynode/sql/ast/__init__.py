"""The syntax tree: what a statement says, before any name is looked up.

Every node is frozen and belongs to one of the closed unions at the end of each part (`Expression`, `TableReference`,
`Statement`, ...), to be taken apart by `match` with `assert_never`.

`position` is where an error about the node points: the 1-based character offset of its first token, or of the
operator for unary, binary and postfix operators, as in PostgreSQL. Positions do not count in comparisons, so two
expressions are equal when they say the same (`GROUP BY a + 1` finds `a + 1` in the select list).

Unquoted identifiers are already in lower case here. The parser bounds the height of every tree by
`limits.MAX_NESTING`, so it is safe to walk one recursively.
"""

from mynode.sql.ast.changes import *
from mynode.sql.ast.expressions import *
from mynode.sql.ast.queries import *
from mynode.sql.ast.schema import *
from mynode.sql.ast.statements import *
from mynode.sql.ast.walking import *
