"""The items, in memory. docs/API.md says what they are."""


class Store:
    def __init__(self):
        self.items, self.gone, self.last = {}, set(), 0

    def add(self, fields):
        self.last += 1
        item = {"id": self.last, "version": 1, **fields}
        self.items[item["id"]] = item
        return item

    def replace(self, item, fields):
        """Gives an item new fields; the version grows if something has changed."""
        new = {**item, **fields}
        if new != item:
            new["version"] = item["version"] + 1
        self.items[item["id"]] = new
        return new

    def remove(self, item):
        del self.items[item["id"]]
        self.gone.add(item["id"])
