"""Who may see /admin."""


def inside(peer, headers):
    """Whether a request is from inside: from 127.0.0.1, or through the proxy 10.0.0.1 for an address 10.0.x.y, which the proxy has put last into X-Forwarded-For."""
    if peer == "10.0.0.1":
        return headers.get("X-Forwarded-For", "").split(",")[-1].strip().startswith("10.0.")
    return peer == "127.0.0.1"
