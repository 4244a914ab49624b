

def main(words):
    if len(words) < 3 or any("=" not in word for word in words[3:]):
        print("usage: python3 -m ci PIPELINE DIR REPORT [KEY=VALUE...]", file=sys.stderr)
        return 64
    try:
        report = run(words[0], words[1], dict(word.split("=", 1) for word in words[3:]))
    except Wrong as error:
        print("%s:%s" % (words[0], error), file=sys.stderr)
        return 2
    with open(words[2], "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
    return 1 if report["result"] == "failed" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
