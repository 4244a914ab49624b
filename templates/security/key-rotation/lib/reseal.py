"""Seals the store anew: python3 -B /tmp/reseal.py [do]"""
import hashlib, hmac, os, re, secrets, sys

HEX = "[0-9a-f]"
TWO = re.compile("id: (.*)\nkid: (.*)\nnonce: (%s{16})\nbody: (%s*)\nmac: (%s{64})\n" % (HEX, HEX, HEX))
ONE = re.compile("v1 (.*) (%s{16}) (%s*) (%s{64})\n" % (HEX, HEX, HEX))


def key(kid):
    with open("keys/%s.key" % kid) as file:
        return file.read().strip().encode()


def mac(kid, *parts):
    return hmac.new(key(kid), "|".join(parts).encode(), hashlib.sha256).hexdigest()


def stream(kid, nonce, data):
    blocks = b"".join(hmac.new(key(kid), b"stream|%s|%d" % (nonce.encode(), n), hashlib.sha256).digest() for n in range(len(data) // 32 + 1))
    return bytes(a ^ b for a, b in zip(data, blocks))


def opened(name, text):
    """The text of a record, and why it is not sound."""
    two, one = TWO.fullmatch(text), ONE.fullmatch(text)
    if not two and not one:
        return None, "form"
    kid, nonce, body, given = two.groups()[1:] if two else one.groups()
    if not os.path.exists("keys/%s.key" % kid):
        return None, "no key " + kid
    if given != (mac(kid, "seal", two[1], kid, nonce, body) if two else mac(kid, kid, nonce, body)):
        return None, "mac"
    if two and two[1] != name:
        return None, "is " + two[1]
    return stream(kid, nonce, bytes.fromhex(body)), "form %d, %s" % (2 if two else 1, kid)


for file in sorted(os.listdir("store")):
    name = file[:-4]
    with open("store/" + file, newline="") as record:
        raw = record.read()
    text, why = opened(name, raw)
    print(name, why, text and text.decode()[:40])
    if sys.argv[1:] != ["do"]:
        continue
    if text is None:
        os.makedirs("quarantine", exist_ok=True)
        os.rename("store/" + file, "quarantine/" + file)
        continue
    nonce = secrets.token_hex(8)
    body = stream("master-10", nonce, text).hex()
    with open("store/" + file, "w", newline="") as record:
        record.write("id: %s\nkid: master-10\nnonce: %s\nbody: %s\nmac: %s\n" % (name, nonce, body, mac("master-10", "seal", name, "master-10", nonce, body)))
