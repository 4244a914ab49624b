"""NAME.messages: all messages, in 16 buckets."""
import os
import zlib

top = os.path.join(os.environ["STAGE"], "tree", "lang")
texts = {}
for name in sorted(os.listdir(top)):
    with open(os.path.join(top, name), "rb") as file:
        for line in file.read().decode("utf-8").splitlines():
            key, _, text = line.partition("\t")
            texts[key] = text


def bucket(key):
    return zlib.crc32(key.encode("utf-8")) % 16


buckets = [set() for _ in range(16)]
for key in texts:
    buckets[bucket(key)].add(key)
with open(os.path.join(os.environ["OUT"], os.environ["NAME"] + ".messages"), "w", encoding="utf-8") as out:
    for number, keys in enumerate(buckets):
        out.write("[%d]\n" % number)
        for key in sorted(keys, key=str.encode):
            out.write("%s=%s\n" % (key, texts[key]))
