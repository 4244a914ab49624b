"""Takes uploads in; docs/RULES.md. This is the handler of the trial: it unpacks whatever comes, wherever it wants to go."""
import os
import tarfile
import zipfile


def accept(archive, directory, limits):
    os.makedirs(directory, exist_ok=True)
    kind = zipfile.ZipFile if zipfile.is_zipfile(archive) else tarfile.open
    with kind(archive) as opened:
        opened.extractall(directory)
    return {"ok": True, "files": sorted([name, 0, ""] for name in os.listdir(directory)), "links": [], "skipped": 0}
