"""A controller for mpremote: a raw REPL in MicroPython on stdin and stdout, over LittleFS2 in one file.

raw_repl.py FLASH KILOBYTES: a bare board's rules. main.py runs at the start and Ctrl-C ends it, Ctrl-A is the raw REPL
with raw paste, Ctrl-D in it a soft reboot, and machine.reset() ends the process, which whoever started it starts again.
Protocol: MicroPython's shared/runtime/pyexec.c and docs/reference/repl.rst. Started by tests/parts/boards.py.
"""

import os
import sys
import termios

import vfs

BLOCK = 4096
WINDOW = 128
GONE = 7  # exit code: the cable was pulled


class Flash:
    """A file as LittleFS2's block device. It stays over restarts, as flash does."""

    def __init__(self, path, count):
        self.count = count
        try:
            self.file = open(path, "r+b")  # noqa: SIM115
        except OSError:
            with open(path, "wb") as blank:
                for _ in range(count):
                    blank.write(b"\xff" * BLOCK)
            self.file = open(path, "r+b")  # noqa: SIM115

    def readblocks(self, number, buffer, offset=0):
        self.file.seek(number * BLOCK + offset)
        self.file.readinto(buffer)

    def writeblocks(self, number, buffer, offset=0):
        self.file.seek(number * BLOCK + offset)
        self.file.write(buffer)

    def ioctl(self, op, argument):
        if op == 3:  # sync
            self.file.flush()
        return {4: self.count, 5: BLOCK}.get(op, 0)


class Devices:
    """Pseudo-terminals can be opened, and nothing else be done to this machine's devices: a board may be erased."""

    def __init__(self):
        self.posix = vfs.VfsPosix("/dev")

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        pass

    def ilistdir(self, path):
        return iter((("pts", 0x4000, 0),) if path == "/" else ())

    def open(self, path, mode):
        if not path.startswith("/pts/"):
            raise OSError(2)
        return self.posix.open(path, mode)


class Machine:
    """What a bare board's `machine` has and this one's has not."""

    def reset(self):
        print("machine.reset")
        os_system("kill -9 $PPID")

    def bootloader(self):
        self.reset()  # the drive is the test's: it is there already

    def unique_id(self):
        return b"\x24\x6f\x28\xaa\xbb\xcc"


def mount(path, count):
    flash = Flash(path, count)
    try:
        files = vfs.VfsLfs2(flash)
    except OSError:
        vfs.VfsLfs2.mkfs(flash)
        files = vfs.VfsLfs2(flash)
    devices = Devices()
    vfs.umount("/")
    vfs.mount(files, "/")
    vfs.mount(devices, "/dev")  # a bus of the tests is a pseudo-terminal
    os.chdir("/")
    sys.path[:] = ["", ".frozen", "/lib"]


def keys_interrupt(yes):
    """As on a board, Ctrl-C interrupts what runs and is a byte while a prompt reads."""
    settings = termios.tcgetattr(0)
    settings[3] = settings[3] | 1 if yes else settings[3] & ~1  # ISIG
    termios.tcsetattr(0, termios.TCSANOW, settings)


def key():
    read = sys.stdin.buffer.read(1)
    if not read:
        sys.exit(GONE)
    return read


def put(data):
    sys.stdout.buffer.write(data)


def execute(source, names):
    failed = None
    try:
        code = compile(source, "<stdin>", "exec")
        keys_interrupt(True)
        exec(code, names)
    except BaseException as error:
        failed = error
    keys_interrupt(False)
    put(b"\x04")
    if failed is not None:
        sys.print_exception(failed)
    put(b"\x04")


def pasted():
    """Raw paste: after each window of bytes another one is granted."""
    put(b"R\x01" + bytes((WINDOW, 0)) + b"\x01")
    text, room = bytearray(), WINDOW
    while (byte := key()) != b"\x04":
        text.extend(byte)
        room -= 1
        if not room:
            put(b"\x01")
            room = WINDOW
    put(b"\x04")
    return text


def raw(names):
    put(b"raw REPL; CTRL-B to exit\r\n>")
    text = bytearray()
    while True:
        byte = key()
        if byte == b"\x05" and not text:
            if key() + key() == b"A\x01":
                execute(str(pasted(), "utf-8"), names)
                put(b">")
        elif byte == b"\x04":
            put(b"OK")
            if not text:
                return True
            execute(str(text, "utf-8"), names)
            put(b">")
            text = bytearray()
        elif byte == b"\x02":
            return False
        elif byte in (b"\x01", b"\x03"):
            text = bytearray()
            if byte == b"\x01":
                put(b"raw REPL; CTRL-B to exit\r\n>")
        else:
            text.extend(byte)


def run_main():
    try:
        with open("main.py") as file:
            source = file.read()
    except OSError:
        return
    keys_interrupt(True)
    try:
        exec(source, {"__name__": "__main__", "__file__": "main.py"})
    except BaseException as error:
        sys.print_exception(error)
    keys_interrupt(False)


os_system = os.system
termios.setraw(0)
mount(sys.argv[1], int(sys.argv[2]) * 1024 // BLOCK)
sys.modules["machine"] = Machine()
run_main()
while True:
    put(b"MicroPython behind a pseudo-terminal\r\n>>> ")
    while key() != b"\x01":
        pass
    while raw({"__name__": "__main__"}):
        put(b"\r\nMPY: soft reboot\r\n")
