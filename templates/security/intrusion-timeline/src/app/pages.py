"""Pages of the site."""
import posixpath
from urllib.parse import unquote


def place(path):
    """Where the page of a request is, if that is below www/, or else None. The path is as it stands in the request."""
    found = posixpath.normpath(posixpath.join("www", unquote(path).lstrip("/")))
    return found if found.startswith("www/") else None
