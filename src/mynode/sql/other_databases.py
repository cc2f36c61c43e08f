"""What SQL of other databases is called here: hints at what MySQL, SQLite, SQL Server or Oracle would take."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

_FUNCTIONS: Final = {
    "charindex": "strpos(text, part)",
    "curdate": "current_date",
    "curtime": "now()",
    "current_setting": "the statement SHOW",
    "date_add": "date + days",
    "date_format": "to_char(time, template)",
    "date_sub": "date - days",
    "dateadd": "date + days",
    "datediff": "date - date, which is a number of days",
    "datetime": "now(), or a cast to TIMESTAMP",
    "day": "extract(day FROM time)",
    "generate_series": "(VALUES (1), (2)) AS numbers (n): functions that make rows are not supported yet",
    "getdate": "now()",
    "group_concat": "string_agg(text, separator)",
    "hex": "encode(bytes, 'hex') or to_hex(number)",
    "if": "CASE WHEN condition THEN value ELSE value END",
    "ifnull": "coalesce(value, ...)",
    "iif": "CASE WHEN condition THEN value ELSE value END",
    "instr": "strpos(text, part)",
    "isnull": "coalesce(value, ...), or the test IS NULL",
    "julianday": "date - date, which is a number of days",
    "last_insert_id": "INSERT ... RETURNING",
    "last_insert_rowid": "INSERT ... RETURNING",
    "lcase": "lower(text)",
    "len": "length(text)",
    "listagg": "string_agg(text, separator)",
    "locate": "strpos(text, part)",
    "mid": "substr(text, from, count)",
    "month": "extract(month FROM time)",
    "newid": "gen_random_uuid()",
    "nvl": "coalesce(value, ...)",
    "printf": "format(template, value, ...)",
    "rand": "random()",
    "str_to_date": "to_date(text, template)",
    "strftime": "to_char(time, template)",
    "sysdate": "now()",
    "total": "sum(value)",
    "typeof": "pg_typeof(value)",
    "ucase": "upper(text)",
    "unix_timestamp": "extract(epoch FROM time)",
    "uuid": "gen_random_uuid()",
    "uuid_generate_v4": "gen_random_uuid()",
    "year": "extract(year FROM time)",
}

_TYPES: Final = {
    **dict.fromkeys(("tinyint", "mediumint", "int1", "int3", "year"), "INTEGER"),
    **dict.fromkeys(("blob", "binary", "varbinary", "longblob", "mediumblob", "tinyblob", "raw", "bytes"), "BYTEA"),
    **dict.fromkeys(("clob", "longtext", "mediumtext", "tinytext", "nvarchar", "nchar", "varchar2", "citext"), "TEXT"),
    **dict.fromkeys(("datetime", "datetime2", "smalldatetime", "datetimeoffset"), "TIMESTAMP"),
    **dict.fromkeys(("number", "money", "smallmoney", "fixed"), "NUMERIC"),
    **dict.fromkeys(("json", "jsonb", "xml"), "TEXT"),
    **dict.fromkeys(("interval", "time", "timetz"), "NUMERIC, of seconds"),
    **dict.fromkeys(("enum", "set"), "TEXT, with CHECK (column IN ('a', 'b'))"),
    **dict.fromkeys(("uniqueidentifier", "guid"), "UUID"),
    **dict.fromkeys(("bit", "logical"), "BOOLEAN"),
    **dict.fromkeys(("autoincrement", "auto_increment", "identity"), "SERIAL"),
}

_WORDS: Final = {
    "AUTO_INCREMENT": "a column that counts by itself is SERIAL, or GENERATED ALWAYS AS IDENTITY",
    "AUTOINCREMENT": "a column that counts by itself is SERIAL, or GENERATED ALWAYS AS IDENTITY",
    "IDENTITY": "a column that counts by itself is SERIAL, or GENERATED ALWAYS AS IDENTITY",
    "UNSIGNED": "there are no unsigned integers: CHECK (column >= 0) keeps negative ones out",
    "ZEROFILL": "a column has no display format",
    "ENGINE": "a table has no options",
    "CHARSET": "all text is Unicode",
    "DUPLICATE": "write ON CONFLICT (column) DO UPDATE SET column = excluded.column",
    "MODIFY": "write ALTER COLUMN",
    "CHANGE": "write RENAME COLUMN or ALTER COLUMN",
    "DESCRIBE": "write SHOW COLUMNS FROM table",
    "DESC": "write SHOW COLUMNS FROM table",
    "USE": "there is only one database",
    "PRAGMA": "write SHOW COLUMNS FROM table, or query information_schema; SHOW ALL lists the settings",
    "REPLACE": "write INSERT ... ON CONFLICT (column) DO UPDATE SET column = excluded.column",
    "[": 'write names as "name"',
    "MINUS": "write EXCEPT",
    "REGEXP": "there are no regular expressions: LIKE and ILIKE compare with patterns",
    "RLIKE": "there are no regular expressions: LIKE and ILIKE compare with patterns",
    "GLOB": "write LIKE, whose wildcards are % and _",
}
"""By the word that cannot stand where it stands; only unquoted words and symbols."""

_WORDS_AFTER: Final = {
    ("INSERT", "OR"): "write INSERT INTO ... ON CONFLICT DO NOTHING, or DO UPDATE",
    ("INSERT", "IGNORE"): "write INSERT INTO ... ON CONFLICT DO NOTHING",
    ("EXPLAIN", "QUERY"): "write EXPLAIN statement",
    ("INDEX", "("): "indexes are made by CREATE INDEX",
    ("KEY", "("): "indexes are made by CREATE INDEX",
    ("=", "="): 'write "=" once',
    ("&", "&"): "write AND",
}

_CLAUSES: Final = {
    "WHERE": "there is one WHERE, before GROUP BY, HAVING, ORDER BY and LIMIT; AND joins conditions",
    "FROM": "FROM comes behind the select list, before WHERE",
    "JOIN": "joins come before WHERE",
    "GROUP": "GROUP BY comes before HAVING, ORDER BY and LIMIT",
    "HAVING": "HAVING comes before ORDER BY and LIMIT",
    "ORDER": "ORDER BY comes before LIMIT and OFFSET",
}
"""By the word of a clause that stands where the statement could end."""

_AFTER_A_COMMA: Final = frozenset(("an expression", "a column name", "a table name"))


def hint_for_function(name: str) -> str | None:
    """What the function, by its name in lower case, is called here."""
    here = _FUNCTIONS.get(name)
    return here and f"Here it is {here}."


def hint_for_type(name: str) -> str | None:
    """What the type, by its name in lower case, is called here."""
    here = _TYPES.get(name)
    return here and f"Here it is {here}."


def hint_for_syntax(previous: str, current: str, following: str, expected: Collection[str]) -> str | None:
    """What to write instead of the symbol or word `current`, between its neighbours, where `expected` could stand.

    Words are in upper case; a quoted name is none.
    """
    if current == "SET" and "VALUES" in expected:
        return "write INSERT INTO table (column, ...) VALUES (value, ...)"
    if (current, following) == ("NOT", "NULL"):
        return "write IS NOT NULL"
    if current == "%" and following in ("S", "(") and "an expression" in expected:
        return "write ? or $1 for a parameter"
    if previous == "TOP" and current.isdigit():
        return "write LIMIT count at the end"
    if previous == "," and not _AFTER_A_COMMA.isdisjoint(expected) and (current == ")" or current in _CLAUSES):
        return f"the comma before {current} is one too many"
    if "end of statement" in expected and current in _CLAUSES and (current == "WHERE" or "OFFSET" in expected):
        return _CLAUSES[current]
    return _WORDS_AFTER.get((previous, current)) or _WORDS.get(current)
