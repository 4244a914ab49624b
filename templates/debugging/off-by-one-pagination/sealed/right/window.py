from listing.paginate import FIRST


def page_window(number, pages, width):
    return [n for n in range(FIRST, FIRST + pages) if -width <= n - number <= width]
