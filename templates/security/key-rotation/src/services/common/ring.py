"""Rings: which keys a service signs with and accepts, and when."""


def load(service):
    """The rows of a ring: (kid, use, first, last). Open ends are None."""
    rows = []
    with open("rings/%s.ring" % service) as file:
        for line in file:
            words = line.partition("#")[0].split()
            if words:
                kid, use, first, last = words
                rows.append((kid, use, None if first == "-" else int(first), None if last == "-" else int(last)))
    return rows


def is_open(row, now):
    """Whether a row holds at a tick of the service's own clock; both ends are included."""
    if row[2] is not None and now < row[2]:
        return False
    return row[3] is None or now <= row[3]
