"""What figures were measured on: the kind of machine, never its name, and the commit."""

import os
import platform
import subprocess

from models import PROJECT


def describe():
    """{"cpu", "cores", "memory_gb", "system"}"""
    cpu = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            cpu = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), cpu)
    except OSError:
        pass
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "memory_gb": round(memory), "system": _system()}


def _system():
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def load():
    """What else the machine does: processes that want to run, on average over the last minute."""
    return round(os.getloadavg()[0], 1)


def commit():
    """The short id of the checked-out commit, or unknown; marked when the sources that are measured differ from it."""
    def git(*words):
        return subprocess.run(["git", "-C", PROJECT, *words], capture_output=True, text=True, check=False, timeout=30)
    try:
        head = git("rev-parse", "--short", "HEAD")
        if head.returncode:
            return "unknown"
        changed = git("diff", "--quiet", "HEAD", "--", "engine", "gst-plugins", "samples").returncode
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return head.stdout.strip() + (", with local changes" if changed else "")
