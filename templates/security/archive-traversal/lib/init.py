"""Takes uploads in; docs/RULES.md."""
import hashlib
import os

from intake import entries, place, plan
from intake.refused import Refused


def accept(archive, directory, limits):
    """Unpacks an archive into a directory that is not there yet; returns the receipt."""
    try:
        if os.path.lexists(directory):
            raise Refused("target")
        made = plan.Plan(limits, os.path.getsize(archive))
        for entry in entries.read(archive):
            made.add(entry)
    except Refused as why:
        return {"ok": False, "reason": str(why)}
    except entries.DAMAGE:
        return {"ok": False, "reason": "format"}
    place.put(made.tree, directory)
    found = [("/".join(pieces), node) for pieces, node in sorted(made.tree.items())]
    return {"ok": True, "files": sorted([path, len(node[1]), hashlib.sha256(node[1]).hexdigest()] for path, node in found if node[0] == "file"),
            "links": sorted([path, node[1]] for path, node in found if node[0] == "link"), "skipped": made.skipped}
