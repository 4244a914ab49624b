"""Traces: every program leaves one in each hour. Old ones go."""
from plant.disk import Full

LINES = {"info": 9, "debug": 40}


def run(machine):
    conf, disk = machine.settings("rotate"), machine.disk
    old = ["trace/" + name for name in disk.names("trace") if int(name.split("-")[1]) <= machine.hour - int(conf["keep"])]
    spills = ["tmp/" + name for name in disk.names("tmp")] if conf["spills"] == "remove" else []
    try:
        # The plan comes first, so that a rotation that was interrupted can be understood. It names all files.
        disk.write("plan", "".join("%s %s\n" % (folder, name) for folder in ("trace", "tmp") for name in disk.names(folder)))
    except Full:
        machine.say("rotate", "no space left for the plan, nothing is rotated")
        return
    for name in old + spills:
        disk.remove(name)
    disk.remove("plan")


def trace(machine, name):
    conf = machine.settings("rotate")
    lines = ["%04d %s step %02d of the hour: all is well, nothing to tell\n" % (machine.hour, name, at) for at in range(LINES[conf["level"]])]
    try:
        machine.disk.write("trace/%s-%04d" % (name, machine.hour), "".join(lines))
        machine.disk.write("tmp/%s.%04d.spill" % (name, machine.hour), "buffer %04d " % machine.hour * 40 + "\n")
    except Full:
        machine.say(name, "no space left for the trace")
