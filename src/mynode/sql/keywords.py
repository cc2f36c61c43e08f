"""Which words mean something to the parser, and where each may still be a name.

PostgreSQL's classes (its manual, appendix C). All its reserved words are reserved here too, used or not, so that
later features break no schema; the one difference is `user`, which is an ordinary name. Words that are neither
here nor reserved, such as `type`, `key` or `count`, are ordinary names.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RESERVED: Final = _words(
    """
    ALL ANALYSE ANALYZE AND ANY ARRAY AS ASC ASYMMETRIC BOTH CASE CAST CHECK COLLATE COLUMN CONSTRAINT CREATE
    CURRENT_CATALOG CURRENT_DATE CURRENT_ROLE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DEFAULT DEFERRABLE DESC
    DISTINCT DO ELSE END EXCEPT FALSE FETCH FOR FOREIGN FROM GRANT GROUP HAVING IN INITIALLY INTERSECT INTO LATERAL
    LEADING LIMIT LOCALTIME LOCALTIMESTAMP NOT NULL OFFSET ON ONLY OR ORDER PLACING PRIMARY REFERENCES RETURNING
    SELECT SESSION_USER SOME SYMMETRIC SYSTEM_USER TABLE THEN TO TRAILING TRUE UNION UNIQUE USING VARIADIC WHEN
    WHERE WINDOW WITH
    """
)
"""Never a name, except in double quotes or after AS in a select list."""

FUNCTION_ONLY: Final = _words(
    """
    AUTHORIZATION BINARY COLLATION CONCURRENTLY CROSS CURRENT_SCHEMA FREEZE FULL ILIKE INNER IS ISNULL JOIN LEFT LIKE
    NATURAL NOTNULL OUTER OVERLAPS RIGHT SIMILAR TABLESAMPLE VERBOSE
    """
)
"""May name a function or a type (`left('abc', 1)`), not a table, a column or an alias of a table."""

COLUMN_ONLY: Final = _words("BETWEEN EXISTS INTERVAL PRECISION ROW SETOF VALUES")
"""May name a table or a column, not a function."""

UNRESERVED: Final = _words(
    """
    ABORT ACTION ADD ALTER ALWAYS AT BEGIN BY CASCADE COMMIT COMMITTED CONFLICT CONTINUE DEALLOCATE DELETE DROP
    ESCAPE EXECUTE EXPLAIN FILTER FIRST GENERATED IDENTITY IF INDEX INSERT ISOLATION KEY LAST LEVEL LOCAL MATCH
    MATERIALIZED NEXT NO NOTHING NULLS OVER OVERRIDING PREPARE READ RECURSIVE RELEASE RENAME REPEATABLE REPLACE
    RESET RESTART RESTRICT ROLLBACK ROWS SAVEPOINT SERIALIZABLE SESSION SET SHOW START TEMP TEMPORARY TIME
    TRANSACTION TRUNCATE UNCOMMITTED UNKNOWN UNLOGGED UPDATE VARYING VIEW WITHOUT WORK WRITE ZONE
    """
)
"""May name anything; the parser gives them a meaning only where a name cannot stand."""

TABLE_OR_COLUMN_NAMES: Final = UNRESERVED | COLUMN_ONLY
"""The keywords that PostgreSQL's grammar takes as ColId."""

BARE_ALIASES: Final = (UNRESERVED | COLUMN_ONLY | FUNCTION_ONLY) - {"FILTER", "ISNULL", "NOTNULL", "OVER", "OVERLAPS"}
"""The keywords that may name a column of the result without AS before them."""

_WORDS: Final = RESERVED | FUNCTION_ONLY | COLUMN_ONLY | UNRESERVED

SYMBOLS: Final[dict[str, str]] = {word.lower(): word for word in _WORDS}
"""From a word in lower case to the symbol that the grammar knows it by: the same in upper case."""

KEYWORDS: Final[tuple[str, ...]] = tuple(
    sorted(
        _words(
            """
        ALL AND AS ASC BEGIN BETWEEN BOOLEAN BY CASE CAST COALESCE COMMIT CONSTRAINT CREATE DATE DEFAULT
        DELETE DESC DISTINCT DROP ELSE END ESCAPE EXISTS EXPLAIN FALSE FIRST FLOAT FROM GREATEST IF ILIKE IN
        INSERT INTEGER INTO IS KEY LAST LEAST LIKE LIMIT NOT NULL NULLIF NULLS NUMERIC OFFSET ONLY OR ORDER
        PRIMARY READ RELEASE ROLLBACK SAVEPOINT SELECT SET SYMMETRIC TABLE TEXT THEN TIMESTAMP TO TRANSACTION
        TRUE UNKNOWN UPDATE VALUES WHEN WHERE
            """
        )
    )
)
"""What a shell offers for completion: words of the statements that exist today, in upper case."""
