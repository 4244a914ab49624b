"""Clocks and lives of the services, from etc/services.tsv."""


def table():
    with open("etc/services.tsv") as file:
        rows = [line.split("\t") for line in file if line.strip() and not line.startswith("#")]
    return {name: (int(offset), int(life)) for name, offset, life in rows}


def reference(service, local):
    """The tick of the reference clock at which the clock of the service shows `local`."""
    return local - table()[service][0]


def life(service):
    """For how many ticks a token of this service may be used."""
    return table()[service][1]
