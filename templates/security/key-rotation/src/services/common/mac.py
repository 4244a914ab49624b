"""The mac of tokens."""
import hashlib
import hmac


def secret(kid):
    with open("keys/%s.key" % kid) as file:
        return file.read().strip().encode()


def tag(kid, sender, tick, payload):
    text = "|".join((kid, sender, str(tick), payload))
    return hmac.new(secret(kid), text.encode(), hashlib.sha256).hexdigest()
