"""Tables: names of columns, and rows of values."""

from tabq.errors import QueryError


class Table:
    """Rows of equal length below named columns. Names are found without regard to case."""

    def __init__(self, columns, rows=()):
        self.columns = list(columns)
        self.places = {}
        for place, name in enumerate(self.columns):
            key = name.lower()
            if key in self.places:
                raise QueryError("the column %r is there twice" % name)
            self.places[key] = place
        self.rows = [self._fitted(row) for row in rows]

    def _fitted(self, row):
        """The row with nulls for cells that are missing at its end. Too long a row is an error."""
        row = list(row)
        if len(row) > len(self.columns):
            raise QueryError("a row has %d cells, but there are %d columns" % (len(row), len(self.columns)))
        return row + [None] * (len(self.columns) - len(row))

    def place(self, name, at=None):
        """The number of a column. An unknown name is an error that lists the known ones."""
        place = self.places.get(name.lower())
        if place is None:
            known = ", ".join(self.columns)
            raise QueryError("there is no column %r; there are %s" % (name, known), at)
        return place

    def column(self, name):
        """All values of one column."""
        place = self.place(name)
        return [row[place] for row in self.rows]

    def __eq__(self, other):
        if not isinstance(other, Table):
            return NotImplemented
        return self.columns == other.columns and self.rows == other.rows

    def __repr__(self):
        return "Table(%r, %r)" % (self.columns, self.rows)
