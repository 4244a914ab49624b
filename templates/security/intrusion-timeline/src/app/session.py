"""Tokens of accounts."""
import hashlib
import hmac


def user(token, secret):
    """The account of a token `account.mac`, or None if the mac is not the whole HMAC-SHA256 of the account in hexadecimal digits."""
    name, _, mac = token.rpartition(".")
    want = hmac.new(secret.encode(), name.encode(), hashlib.sha256).hexdigest()
    return name if hmac.compare_digest(mac.encode(), want.encode()) else None
