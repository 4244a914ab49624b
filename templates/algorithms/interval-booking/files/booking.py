"""Room bookings of one day. See SPEC.md."""


class BookingError(Exception):
    """The request is refused."""


class NoRoom(BookingError):
    """No room is available."""


class Calendar:
    def __init__(self, rooms):
        self.rooms = list(rooms)

    def book(self, start, end, people):
        raise NotImplementedError

    def cancel(self, number):
        raise NotImplementedError

    def free(self, room, start, end):
        raise NotImplementedError

    def earliest(self, minutes, people, after):
        raise NotImplementedError

    def busiest(self):
        raise NotImplementedError
