"""Which page links to show."""
from listing.paginate import FIRST


def page_window(number, pages, width):
    """The numbers of the pages at most `width` away from `number`."""
    near = range(number - width, number + width + 1)
    return [page for page in range(FIRST, FIRST + pages) if page in near]
