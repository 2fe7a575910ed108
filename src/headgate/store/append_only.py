"""Triggers by which a database refuses to change or remove rows of a table, but where a purge says that it does so.

A purge puts a row into the table `door` first, and takes it out in the same transaction: nobody else ever sees it. This
keeps mistakes out; whoever may change the tables' definitions is found out by the chain of hashes.
"""

from __future__ import annotations

_SQLITE = """\
CREATE TRIGGER {table}_kept BEFORE {event} ON {table} WHEN NOT EXISTS (SELECT 1 FROM {door}) \
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
"""
_FUNCTION = """\
CREATE FUNCTION {table}_kept() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN \
IF TG_OP <> ''TRUNCATE'' AND EXISTS (SELECT 1 FROM {door}) \
THEN RETURN CASE TG_OP WHEN ''DELETE'' THEN OLD ELSE NEW END; END IF; RAISE EXCEPTION ''{table} is append-only''; END';
CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_kept();
CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {table}_kept();
"""


def sqlite(table: str, door: str) -> str:
    """Statements, each of which ends its line."""
    events = (("UPDATE", "changed"), ("DELETE", "removed"))
    return "".join(
        _SQLITE.format(table=table, door=door, event=event).replace(f"{table}_kept", f"{table}_not_{done}", 1)
        for event, done in events
    )


def postgres(table: str, door: str) -> str:
    return _FUNCTION.format(table=table, door=door)
