"""Keys that let the server tell a repetition from another call."""


class Keys:
    def __init__(self, client):
        self.client, self.number = client, 0

    def new(self, path, body):
        self.number += 1
        return "%s-%d" % (self.client, self.number)
