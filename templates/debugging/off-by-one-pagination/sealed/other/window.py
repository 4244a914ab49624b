import listing.paginate


def page_window(number, pages, width):
    existing = range(listing.paginate.FIRST, listing.paginate.FIRST + pages)
    return sorted(set(existing).intersection(range(number - width, number + width + 1)))
