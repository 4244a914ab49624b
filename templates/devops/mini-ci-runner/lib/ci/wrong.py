"""What is wrong in a pipeline, with its line."""


class Wrong(Exception):
    def __init__(self, line, why):
        super().__init__(why)
        self.line = line
