# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Two machines in one: this process moves into a network namespace of its own, and starts programs in a second one at the
# other end of a cable. aiortc needs it: it does not use the loopback interface. Both vanish with their last process.

import os
import shutil
import subprocess
import sys
import time

CLIENT_ADDRESS = "10.77.0.2"
SERVER_ADDRESS = "10.77.0.1"
_INSIDE = "WEBRTCUPLOAD_TEST_NETWORK"


def enter():
    """Starts the program again inside; returns there. Elsewhere it returns why that cannot be."""
    if os.environ.get(_INSIDE):
        return None
    for tool in ("ip", "unshare", "nsenter"):
        if not shutil.which(tool):
            return "there is no `%s`" % tool
    # Whoever is not root may have a namespace of users in which they are.
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    probe = "ip link set lo up && ip link add probe0 type veth peer name probe1"
    tried = subprocess.run(unshare + ["sh", "-c", probe], capture_output=True, text=True)
    if tried.returncode != 0:
        return "no network namespaces here: " + " ".join(tried.stderr.split())
    os.environ[_INSIDE] = "1"
    os.execvp(unshare[0], unshare + [sys.executable] + sys.argv)


def _run(*command):
    subprocess.run(command, check=True)


def wait_until_up(ip, interface):
    end = time.monotonic() + 60
    while "state UP" not in subprocess.run(ip + ["link", "show", interface], capture_output=True, text=True).stdout:
        if time.monotonic() > end:
            raise RuntimeError("the cable does not come up")
        time.sleep(0.01)


def start_server(command, **options):
    """subprocess.Popen() of `command` at the other end of the cable; its standard input is a pipe."""
    process = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", 'echo ready && read -r go && exec "$@"', "sh"] + command,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
    if process.stdout.readline() != b"ready\n":
        raise RuntimeError("no second network namespace")
    inside = ["nsenter", "--target", str(process.pid), "--net"]
    # An interface that an earlier server had may still be going away: names are used once.
    start_server.count += 1
    here, there = "client%d" % start_server.count, "server%d" % start_server.count
    _run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", str(process.pid))
    _run("ip", "address", "add", CLIENT_ADDRESS + "/24", "dev", here)
    _run("ip", "link", "set", here, "up")
    _run(*inside, "ip", "address", "add", SERVER_ADDRESS + "/24", "dev", there)
    _run(*inside, "ip", "link", "set", there, "up")
    # A moment passes until the kernel knows that both ends are there, and until then no one listens at them.
    wait_until_up(["ip"], here)
    wait_until_up(inside + ["ip"], there)
    process.network_interface = here
    process.stdin.write(b"go\n")
    process.stdin.flush()
    return process


start_server.count = 0


def disconnect(process):
    """Takes the cable of that server away, if it is still there."""
    subprocess.run(["ip", "link", "delete", process.network_interface], capture_output=True)
