"""The copy of the partner's prices that bookings use."""
import os

from plant.disk import Full


def run(machine):
    conf = machine.settings("prices")
    last = machine.disk.read("prices/read")
    if conf["pinned"] == "yes" or last and machine.hour - int(last) < int(conf["every"]):
        return
    with open(os.path.join(machine.root, conf["source"]), encoding="utf-8") as file:
        text = file.read()
    try:
        machine.disk.write("prices/table", text)
        machine.disk.write("prices/read", "%04d" % machine.hour)
    except Full:
        machine.say("prices", "no space left, the old table stays")


def of(machine, item, day):
    """The price of a day: the newest row that is not newer. None if the item is unknown."""
    found = None
    for line in machine.disk.read("prices/table").splitlines():
        since, name, price = line.split()
        if name == item and int(since) <= day:
            found = int(price)
    return found
