"""A query language for delimited text. See README.md."""

from tabq.engine import run
from tabq.errors import QueryError
from tabq.parser import parse
from tabq.reader import read_table, write_table
from tabq.table import Table

__all__ = ["QueryError", "Table", "parse", "query", "read_table", "run", "write_table"]


def query(text, table):
    """Runs the query `text` over a table, and returns a new table."""
    return run(parse(text), table)
