"""python3 -m pagetree FILE (get KEY | put KEY TEXT | del KEY | scan LOW HIGH | size)"""
import sys

from pagetree.tree import Tree


def main(argv):
    path, action, rest = argv[0], argv[1], argv[2:]
    tree = Tree(path)
    try:
        if action == "get":
            print(tree.get(int(rest[0])))
        elif action == "put":
            tree.put(int(rest[0]), rest[1])
        elif action == "del":
            tree.delete(int(rest[0]))
        elif action == "scan":
            for key, value in tree.scan(int(rest[0]), int(rest[1])):
                print(key, value)
        elif action == "size":
            print(len(tree))
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except KeyError as error:
        print("no key %s" % error, file=sys.stderr)
        return 1
    finally:
        tree.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
