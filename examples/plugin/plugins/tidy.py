#!/usr/bin/env python3
"""A plugin for redundctl: removes the files of a folder that are older than some days."""

import json
import os
import sys
import time


def answer(kind, **fields):
    """One line of the answer. It is flushed, so that a log line is seen at once."""
    print(json.dumps({"type": kind, **fields}), flush=True)


def old_files(directory, days):
    """The names of the files that go. Folders and links stay."""
    limit = time.time() - days * 24 * 60 * 60
    with os.scandir(directory) as entries:
        return sorted(
            entry.name
            for entry in entries
            if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < limit
        )


def main():
    request = json.load(sys.stdin)
    directory, days = request["with"].get("directory"), request["with"].get("days")
    if not isinstance(directory, str) or not isinstance(days, (int, float)) or days < 0:
        raise ValueError("with: directory is a path, and days a number from 0")
    names = old_files(directory, days)
    if request["op"] == "plan":
        # A plan changes nothing: it says what a run would do.
        for name in names:
            answer("effect", text="removes " + os.path.join(directory, name))
        if not names:
            answer("effect", text=f"removes nothing: no file of {directory} is older than {days} days")
    elif request["op"] == "run":
        for name in names:
            os.remove(os.path.join(directory, name))
            answer("log", text="removed " + os.path.join(directory, name))
        answer("output", name="count", value=len(names))
    else:
        raise ValueError(f"this plugin knows plan and run, not {request['op']}")


try:
    main()
except (OSError, ValueError) as error:
    answer("result", ok=False, error=str(error))
else:
    answer("result", ok=True)
