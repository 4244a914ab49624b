"""Which checksum over what fits the single records of the first traced file?"""
import re
import zlib


def fletcher(data):
    one = two = 0
    for byte in data:
        one = (one + byte) % 255
        two = (two + one) % 255
    return two << 8 | one


def xor(data):
    value = 0
    for byte in data:
        value ^= byte
    return value


data = open("samples/one.rec", "rb").read()
sizes = [int(size) for size in re.findall(r"write\(3, \.\.\., \d+\) = (\d+)", open("trace.log").read().split("close(3)")[0])]
at, records = sizes[0], []
for size in sizes[1:]:
    records.append(data[at:at + size])
    at += size
for name, function, width in (("xor", xor, 1), ("sum8", lambda d: sum(d) & 255, 1), ("sum16", lambda d: sum(d) & 65535, 2), ("fletcher", fletcher, 2), ("crc32", zlib.crc32, 4), ("adler32", zlib.adler32, 4)):
    for start in (0, 1, 2, 3, 4):
        for order in ("little", "big"):
            for padded in (False, True):
                fit = 0
                for record in records:
                    for pad in range(4 if padded else 1):
                        end = len(record) - pad
                        if not any(record[end:]) and function(record[start:end - width]) == int.from_bytes(record[end - width:end], order):
                            fit += 1
                            break
                if fit > len(records) * 0.7:
                    print(name, "from byte", start, order, "with padding" if padded else "", fit, "of", len(records))
