"""Runs the tests of one case file, on CPython and on MicroPython alike: runner.py MODULES CASES CASE.

A case is a module with functions test_*(args), plain or async; args is a dict, CASE_ARGUMENTS in the environment as
JSON. Exits with 1 when one fails.
"""

import gc
import json
import os
import sys


def run(case, args):
    failed = 0
    names = [name for name in dir(case) if name.startswith("test_")]
    for name in sorted(names):
        if args.get("only", name) != name:
            continue
        try:
            out = getattr(case, name)(args)
            if hasattr(out, "send"):
                import asyncio

                asyncio.run(out)
                if hasattr(asyncio, "new_event_loop"):
                    asyncio.new_event_loop()  # MicroPython keeps one loop, with its tasks
            print("ok", name)
        except Exception as error:
            failed += 1
            print("FAILED", name, type(error).__name__, error)
            if hasattr(sys, "print_exception"):
                sys.print_exception(error)
            else:
                import traceback

                traceback.print_exc()
        gc.collect()
    return failed, len(names)


sys.path.insert(0, sys.argv[2])
sys.path.insert(0, sys.argv[1])
failed, count = run(__import__(sys.argv[3]), json.loads(os.getenv("CASE_ARGUMENTS")))
print("ran", count)
sys.exit(1 if failed or not count else 0)
