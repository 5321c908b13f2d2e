"""A clean root for one job of a pipeline: the system's programs, the tree, nothing else.

No privileges (a user of its own, no capability), no KVM, an empty home, a fresh environment.
Compiled dependencies and the cache of kernels are the only things that jobs share with what is
outside, as they would share a service's cache.
"""

import os
import shutil
import subprocess
from pathlib import Path


class Sandbox:
    def __init__(self, top, target, cache, scratch):
        self.top, self.target, self.cache = Path(top), Path(target), Path(cache)
        self.scratch = Path(scratch)
        self.trees = 0
        for folder in (self.target, self.cache):
            folder.mkdir(parents=True, exist_ok=True)

    def checkout(self):
        """A fresh copy of the tracked tree; times are kept, so that nothing is built anew."""
        self.trees += 1
        tree = self.scratch / f"tree-{self.trees}"
        listed = subprocess.run(
            ["git", "-C", self.top, "ls-files", "-z"], check=True, capture_output=True
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (self.top / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.top / name, tree / name)
        return tree

    def run(self, tree, script, env):
        """Runs `script` with bash as a service does; ends the rehearsal when it fails."""
        cargo = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
        rustup = Path(os.environ.get("RUSTUP_HOME", Path.home() / ".rustup"))
        command = ["bwrap", "--unshare-all", "--share-net", "--die-with-parent", "--new-session"]
        command += ["--uid", "65532", "--gid", "65532", "--cap-drop", "ALL", "--clearenv"]
        for name in ("bin", "sbin", "lib", "lib64"):
            command += ["--symlink", f"usr/{name}", f"/{name}"]
        command += ["--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc"]
        command += ["--ro-bind", "/var/lib/dpkg", "/var/lib/dpkg"]
        command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/home/ci"]
        command += ["--bind", tree, self.top]
        (tree / "target").mkdir(exist_ok=True)
        for folder in (self.target, self.cache):
            command += ["--bind", folder, folder]
        for folder in (cargo, rustup):
            command += ["--bind", folder, folder]
        environment = {
            "PATH": f"{cargo}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": "/home/ci",
            "USER": "ci",
            "LANG": "C.UTF-8",
            "CI": "true",
            "CARGO_HOME": str(cargo),
            "RUSTUP_HOME": str(rustup),
            "CARGO_TARGET_DIR": str(self.target),
            **env,
            "TUNFARM_CACHE": str(self.cache),
        }
        for name, value in environment.items():
            command += ["--setenv", name, str(value)]
        command += ["--chdir", self.top, "bash", "-e", "-o", "pipefail", "-c", script]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        output = done.stdout.decode(errors="replace")
        print(output, end="", flush=True)
        if done.returncode != 0:
            raise SystemExit(f"failed with status {done.returncode}:\n{script}")
        return output
