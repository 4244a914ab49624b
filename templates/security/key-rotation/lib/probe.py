"""Compares the services with what the page says, over rings and keys of its own: python3 -B /tmp/probe.py"""
import importlib, os, random, shutil, sys

shutil.rmtree("/tmp/try", True)
shutil.copytree("/work", "/tmp/try")
os.chdir("/tmp/try")
sys.path[:0] = ["/tmp/try", "/tmp"]
import engine

rng, names = random.Random(7), ["gate", "vault", "courier"]
for name in names:
    for number in range(1, 13):
        with open("keys/%s-%d.key" % (name, number), "w") as file:
            file.write("%s%d%032d\n" % (name, number, rng.randrange(10 ** 30)))
bad = {}


def compare(what, *arguments):
    service = importlib.import_module("services.%s.%s" % what)
    want = (engine.accept if what[1] == "verify" else engine.issue)(what[0], *arguments)
    try:
        have = getattr(service, what[1])(*arguments)
    except Exception as error:
        have = repr(error)
    if want != have:
        bad.setdefault(what, []).append((arguments, want, have))


clocks = engine.clocks()
for _ in range(12):
    for name in names:
        with open("rings/%s.ring" % name, "w") as file:
            for _ in range(12):
                first, last = rng.choice(["-", str(rng.randrange(95, 106))]), rng.choice(["-", str(rng.randrange(98, 120))])
                use = rng.choice(["accept", "accept", "sign"])
                file.write("%s-%d %s %s %s\n" % (name if use == "sign" else rng.choice(names), rng.randrange(1, 13), use, first, last))
    for name in names:
        for now in range(94, 122):
            compare((name, "sign"), "ab", now)
        for kid, use, first, last in engine.rows("rings/%s.ring" % name):
            sender = kid.split("-")[0]
            for _ in range(6):
                now = rng.choice([96, 100, 104] + [int(one) + step for one in (first, last) if one != "-" for step in (-1, 0, 1)])
                tick = now - clocks[name][0] + clocks[sender][0] - rng.choice([-1, 0, 1, 2, clocks[sender][1], clocks[sender][1] + 1])
                named = rng.choice([sender, sender, sender, rng.choice(names)])
                mac = engine.seal(kid, named, max(tick, 0), "c0de")
                token = "%s.%s.%d.c0de.%s" % (kid, named, max(tick, 0), mac)
                compare((name, "verify"), token, rng.choice([sender, named]), now)
                for other in (token[:-1], token + "\n", token + "x", token[:-1] + ("0" if mac[-1] != "0" else "1"), token.replace(mac, "0" + mac[1:])):
                    compare((name, "verify"), other, sender, now)
for what, found in sorted(bad.items()):
    print(*what, len(found), "differences")
    for arguments, want, have in found[:4]:
        print("   ", ascii(arguments)[:150], "expected", ascii(want)[:90], "found", ascii(have)[:90])
print("compared")
