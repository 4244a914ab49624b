"""python3 -B -m plant tick HOURS | close DAY | status    (in the top directory)"""
import os
import sys

from plant import close, intake, prices, rotate, upstream, worker
from plant.machine import Machine


def clock(root):
    with open(os.path.join(root, "log", "hour"), encoding="utf-8") as file:
        return int(file.read())


def tick(root):
    """One hour of the machine."""
    hour = clock(root) + 1
    with open(os.path.join(root, "log", "hour"), "w", encoding="utf-8") as file:
        file.write("%d\n" % hour)
    machine = Machine(root, hour)
    for program in (rotate, upstream, prices, intake, worker, close):
        program.run(machine)
    for name in ("intake", "worker", "prices", "close"):
        rotate.trace(machine, name)


def status(root):
    machine = Machine(root, clock(root))
    print("hour %d, day %d, %d bytes used" % (machine.hour, machine.hour // 24, machine.disk.used))
    for folder in ("inbox", "queue", "rejected", "parked", "ledger", "bills", "trace", "tmp"):
        print("%s: %d files" % (folder, len(machine.disk.names(folder))))
    waiting = os.path.join(root, "upstream", "waiting")
    print("waiting at the partner: %d" % (len(os.listdir(waiting)) if os.path.isdir(waiting) else 0))


def main(words):
    if len(words) == 2 and words[0] == "tick":
        for _ in range(int(words[1])):
            tick(".")
    elif len(words) == 2 and words[0] == "close":
        close.close(Machine(".", clock(".")), int(words[1]))
    elif words == ["status"]:
        status(".")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
