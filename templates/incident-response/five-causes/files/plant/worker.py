"""From queue/ to ledger/DAY.csv."""
from plant import prices
from plant.disk import Full
from plant.machine import fields


def run(machine):
    conf, disk = machine.settings("worker"), machine.disk
    try:
        for name in disk.names("queue")[:int(conf["batch"])]:
            if not book(machine, conf, name):
                break
    except Full:
        machine.say("worker", "no space left")
    waiting = len(disk.names("queue"))
    if waiting:
        machine.say("worker", "%d orders wait" % waiting)


def book(machine, conf, name):
    """Books one order. False if the worker should stop for this hour."""
    disk = machine.disk
    order = fields(disk.read("queue/" + name))
    day = int(order["at"]) // 24
    ledger = "ledger/%03d.csv" % day
    if conf["twice"] == "drop" and any(line.startswith(order["id"] + ",") for line in disk.read(ledger).splitlines()):
        disk.remove("queue/" + name)
        return True
    price = prices.of(machine, order["item"], day)
    if price is not None:
        disk.append(ledger, "%s,%s,%s,%d,%d\n" % (order["id"], order["item"], order["qty"], price, int(order["qty"]) * price))
        disk.remove("queue/" + name)
        return True
    tries = int(order.get("tries", 0)) + 1
    machine.say("worker", "%s cannot be booked, try %d" % (order["id"], tries))
    kept = "".join(line + "\n" for line in disk.read("queue/" + name).splitlines() if not line.startswith("tries="))
    if int(conf["tries"]) and tries >= int(conf["tries"]):
        disk.write("parked/" + name, kept)
        disk.remove("queue/" + name)
        return True
    disk.write("queue/" + name, kept + "tries=%d\n" % tries)
    return False
