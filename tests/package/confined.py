#!/usr/bin/env python3
"""Runs a command as the service would, in a machine that is a folder: the user, the folders and
the credentials of the unit, a file system that is read-only but for those, no capability, and the
unit's own filter of system calls.

    confined.py ROOT [--deny-write-execute] [COMMAND ...]

Without a command it is that of the unit. It becomes that command: signals reach it. It applies
nothing else of the unit, so that is untested: namespaces, address families, cgroups.
"""

import ctypes
import functools
import os
import pathlib
import pwd
import re
import shlex
import shutil
import struct
import subprocess
import sys

UNIT = "usr/lib/systemd/system/hookgate.service"

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x00020000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 22, 24, 38, 65
SECCOMP_MODE_FILTER = 2
AUDIT_ARCH_X86_64 = 0xC000003E
# By the protocol of sd_listen_fds(3).
FIRST_HANDED_OVER = 3
NUMBERS = pathlib.Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")


def called(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def prctl(option, value=0):
    """One of a process's own switches."""
    called(LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def mount(what, at, kind, flags=0):
    names = [str(text).encode() for text in (what, at, kind)]
    called(LIBC.mount(*names, ctypes.c_ulong(flags), None), f"mounting {what} at {at}")


def settings(root):
    """The `[Service]` of the unit: each key with its values, in their order."""
    found, section = {}, ""
    for line in (root / UNIT).read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


@functools.cache
def calls_of(name):
    """The names of the calls in one of systemd's sets, also by way of its other sets."""
    if not name.startswith("@"):
        return frozenset([name])
    listed = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, text=True,
                            capture_output=True).stdout.splitlines()[1:]
    members = [line.strip() for line in listed]
    return frozenset().union(*(calls_of(member) for member in members
                               if member and not member.startswith("#")))


def allowed(filters):
    """The numbers of the calls that the unit allows, as systemd reads its lines: the first line
    says what is allowed, and one with a `~` takes away."""
    names = set()
    for line in filters:
        calls = frozenset().union(*(calls_of(word) for word in line.lstrip("~").split()))
        names = names - calls if line.startswith("~") else names | calls
    numbers = dict(re.findall(r"#define __NR_(\w+) (\d+)", NUMBERS.read_text()))
    return sorted(int(numbers[name]) for name in names if name in numbers)


def can_filter():
    """Whether this machine knows what the unit's filter says."""
    return os.uname().machine == "x86_64" and NUMBERS.exists() and bool(
        shutil.which("systemd-analyze"))


def filter_calls(numbers):
    """Any other call fails with EPERM from now on."""
    load, equal, give = 0x20, 0x15, 0x06
    allow, refuse, kill = 0x7FFF0000, 0x00050000 | 1, 0x80000000
    program = [(load, 0, 0, 4), (equal, 1, 0, AUDIT_ARCH_X86_64), (give, 0, 0, kill),
               (load, 0, 0, 0)]
    for number in numbers:
        program += [(equal, 0, 1, number), (give, 0, 0, allow)]
    program.append((give, 0, 0, refuse))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in program))
    whole = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    address = ctypes.c_void_p(ctypes.addressof(whole))
    called(LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, address, 0, 0), "the filter of calls")


def own_folders(root, unit, user):
    """Makes what the unit has folders for, and gives the variables that name them. What is there
    stays: a service may run."""
    environment = {}
    for key, below in (("StateDirectory", "/var/lib"), ("RuntimeDirectory", "/run")):
        [name] = unit[key]
        [mode] = unit[key + "Mode"]
        folder = root / below.lstrip("/") / name
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, user.pw_uid, user.pw_gid)
        folder.chmod(int(mode, 8))
        environment[key.replace("Directory", "_DIRECTORY").upper()] = f"{below}/{name}"
    credentials = root / "run/credentials/hookgate.service"
    credentials.mkdir(parents=True, exist_ok=True)
    for name in unit["LoadCredential"]:
        kept = root / "etc/credstore" / name
        if kept.exists() and not (credentials / name).exists():
            shutil.copyfile(kept, credentials / name)
            os.chown(credentials / name, user.pw_uid, user.pw_gid)
            (credentials / name).chmod(0o400)
    os.chown(credentials, user.pw_uid, user.pw_gid)
    environment["CREDENTIALS_DIRECTORY"] = "/run/credentials/hookgate.service"
    return environment


def furnish(root, writable):
    """A view of the file system that only this process has."""
    called(LIBC.unshare(CLONE_NEWNS), "a view of the file system of its own")
    mount("none", "/", "none", MS_REC | MS_PRIVATE)
    mount(root, root, "none", MS_BIND)
    mount("proc", root / "proc", "proc")
    for folder in ("tmp", "dev"):
        mount("tmpfs", root / folder, "tmpfs")
    for device in ("null", "zero", "random", "urandom"):
        (root / "dev" / device).touch()
        mount(pathlib.Path("/dev") / device, root / "dev" / device, "none", MS_BIND)
    (root / "tmp").chmod(0o1777)
    for path in writable:
        mount(root / path.lstrip("/"), root / path.lstrip("/"), "none", MS_BIND)
    mount("none", root, "none", MS_REMOUNT | MS_BIND | MS_RDONLY)


def user_of(root, name):
    """A user of that machine, not of this one."""
    for line in (root / "etc/passwd").read_text().splitlines():
        words = line.split(":")
        if words[0] == name:
            return pwd.struct_passwd([*words[:2], int(words[2]), int(words[3]), *words[4:]])
    sys.exit(f"confined: {root} has no user `{name}`")


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    words = sys.argv[2:]
    denies = words[:1] == ["--deny-write-execute"]
    unit = settings(root)
    command = words[denies:] or shlex.split(unit["ExecStart"][0])
    user = user_of(root, unit["User"][0])
    environment = own_folders(root, unit, user)
    numbers = allowed(unit["SystemCallFilter"]) if can_filter() else None
    furnish(root, [environment["STATE_DIRECTORY"], environment["RUNTIME_DIRECTORY"]])

    os.chroot(root)
    os.chdir("/")
    os.umask(int(unit["UMask"][0], 8))
    for capability in range(64):
        if LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    environment["PATH"] = "/usr/bin:/bin"
    if "NOTIFY_SOCKET" in os.environ:
        environment["NOTIFY_SOCKET"] = os.environ["NOTIFY_SOCKET"]
    if "PUBLIC_PORT" in os.environ:
        # A listening socket, which systemd hands over like this.
        os.dup2(int(os.environ["PUBLIC_PORT"]), FIRST_HANDED_OVER)
        environment |= {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "public",
                        "LISTEN_PID": str(os.getpid())}
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    if denies:
        # It is what `MemoryDenyWriteExecute=yes` does.
        prctl(PR_SET_MDWE, 1)
    if numbers is not None:
        filter_calls(numbers)
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    main()
