"""A machine that is a folder: a Debian with the least that the package asks for, and dpkg on it.

It is made of what this machine's own packages have installed, so that no network is needed. Never
changes anything outside its folder.
"""

import os
import pathlib
import re
import shutil
import subprocess

# What every Debian has, as far as scripts of packages may use it, and where there is systemd, that
# too: it makes the user then.
BASE = ["base-files", "base-passwd", "coreutils", "dash", "debianutils", "grep", "libc-bin",
        "passwd", "procps", "sed", "ca-certificates", "libgcc-s1"]
WHERE_INSTALLED = ["systemd"]
# Nothing reads these in a test.
LEFT_OUT = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/")


def stanzas():
    """What dpkg knows of each package that is installed here."""
    text = pathlib.Path("/var/lib/dpkg/status").read_text()
    found = {}
    for stanza in text.split("\n\n"):
        name = re.search(r"^Package: (.*)$", stanza, re.M)
        if name and re.search(r"^Status: install ok installed$", stanza, re.M):
            found[name[1]] = stanza
    return found


def with_needed(names, known):
    """These packages, and those that they depend on."""
    provided = {}
    for name, stanza in known.items():
        for line in re.findall(r"^Provides: (.*)$", stanza, re.M):
            for word in line.split(","):
                provided.setdefault(word.split()[0], name)
    found, left = set(), list(names)
    while left:
        name = left.pop()
        if name in found or name not in known:
            continue
        found.add(name)
        for line in re.findall(r"^(?:Pre-)?Depends: (.*)$", known[name], re.M):
            for choice in line.split(","):
                words = [word.split()[0].split(":")[0] for word in choice.split("|")]
                there = [word for word in words if word in known]
                left += there[:1] or [provided[word] for word in words if word in provided][:1]
    return found


class Machine:
    """A folder with a Debian in it."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.root.mkdir()
        self.root.chmod(0o755)
        for folder in ("bin", "sbin", "lib", "lib64"):
            (self.root / "usr" / folder).mkdir(parents=True)
            (self.root / folder).symlink_to(f"usr/{folder}")
        for folder in ("proc", "dev", "tmp", "run", "etc", "var/lib/dpkg/info", "var/log"):
            (self.root / folder).mkdir(parents=True)
        known = stanzas()
        packages = with_needed(BASE + WHERE_INSTALLED, known)
        for package in sorted(packages):
            self._copy(package)
        status = "\n\n".join(known[name].strip() for name in sorted(packages))
        (self.root / "var/lib/dpkg/status").write_text(status + "\n\n")
        for table in ("passwd", "group"):
            shutil.copyfile(f"/usr/share/base-passwd/{table}.master", self.root / "etc" / table)
        for table in ("shadow", "gshadow"):
            (self.root / "etc" / table).touch(0o640)
        authorities = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
        if authorities.exists():
            (self.root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(authorities, self.root / "etc/ssl/certs/ca-certificates.crt")
        called = ["chroot", self.root, "/bin/sh", "-c", "ldconfig"]
        subprocess.run(called, check=True, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})

    def _copy(self, package):
        """Copies the files of an installed package, and dpkg's list of them."""
        listed = subprocess.run(["dpkg-query", "-L", package], check=True, text=True,
                                capture_output=True).stdout.splitlines()
        for name in listed:
            if not name.startswith("/") or name == "/." or name.startswith(LEFT_OUT):
                continue
            source, target = pathlib.Path(name), self.root / name.lstrip("/")
            if source.is_dir() and not source.is_symlink():
                target.mkdir(parents=True, exist_ok=True)
            elif os.path.lexists(source) and not os.path.lexists(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        for file in pathlib.Path("/var/lib/dpkg/info").glob(f"{package}[.:]*list"):
            shutil.copyfile(file, self.root / "var/lib/dpkg/info" / file.name)

    def dpkg(self, *words):
        """dpkg on this machine. A file of the configuration that was changed stays."""
        command = ["dpkg", f"--root={self.root}", "--force-confdef", "--force-confold", *words]
        ran = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, capture_output=True)
        if ran.returncode != 0:
            raise AssertionError(f"dpkg {' '.join(map(str, words))}:\n{ran.stdout}{ran.stderr}")
        return ran.stdout

    def path(self, name):
        """Where a path of this machine lies."""
        return self.root / name.lstrip("/")
