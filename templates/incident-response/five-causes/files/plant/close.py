"""Closes a day: bills/DAY.txt says how many orders it had and what they cost."""
from plant.disk import Full


def run(machine):
    conf = machine.settings("close")
    there = machine.hour + int(conf["offset"])
    if there % 24 == int(conf["hour"]) and there >= 24:
        close(machine, there // 24 - 1)


def close(machine, day):
    conf = machine.settings("close")
    rows = [line.split(",") for line in machine.disk.read("ledger/%03d.csv" % day).splitlines()]
    rows = [row for row in rows if row[1] not in conf["without"].split()]
    unit = int(conf["unit"])
    try:
        machine.disk.write("bills/%03d.txt" % day, "day %d\norders %d\nsum %d\n" % (day, len(rows), sum(int(row[4]) for row in rows) // unit * unit))
        machine.say("close", "day %d closed" % day)
    except Full:
        machine.say("close", "no space left, day %d is not closed" % day)
