"""From inbox/ to queue/."""
from plant.disk import Full
from plant.machine import fields

POWER_TEST = 37


def run(machine):
    conf, disk = machine.settings("intake"), machine.disk
    held = disk.read("lock/intake")
    if held and machine.hour - int(held) < int(conf["stale"]):
        machine.say("intake", "another intake is running since %s" % held)
        return
    if held:
        machine.say("intake", "lock of %s broken" % held)
    try:
        disk.write("lock/intake", "%04d" % machine.hour)
        if machine.hour % POWER_TEST == 5:
            # Twice in three days the power is tested. Whoever runs at that moment is gone.
            return
        for name in disk.names("inbox"):
            if not name.startswith(conf["prefix"]):
                continue
            order = fields(disk.read("inbox/" + name))
            folder = "queue/" if int(order["qty"]) <= int(conf["largest"]) else "rejected/"
            disk.write(folder + name, disk.read("inbox/" + name))
            disk.remove("inbox/" + name)
            if folder == "rejected/":
                machine.say("intake", "%s rejected, qty %s" % (order["id"], order["qty"]))
    except Full:
        machine.say("intake", "no space left")
    if disk.exists("lock/intake"):
        disk.remove("lock/intake")
