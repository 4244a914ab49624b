"""An audit log that tells when somebody has changed it."""

from audit.proof import check, prove
from audit.verify import verify

__all__ = ["check", "prove", "verify"]
