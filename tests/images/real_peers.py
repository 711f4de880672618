#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""real_peers - an image of real software, saved by us, file by file against what umoci and podman make of it.

Usage: real_peers.py RINGFENCE STORE IMAGE DIRECTORY. Needs a mount namespace of its own. Prints a line for each peer; 77 if there is none.
"""
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
loader = SourceFileLoader("peers", os.path.join(HERE, "peers"))
peers = importlib.util.module_from_spec(importlib.util.spec_from_loader("peers", loader))
loader.exec_module(peers)


def layers(store, layout):
    """Directories of the unpacked layers, the topmost first: each is named by the digest of its diff id and the name below it."""
    def blob(descriptor):
        with open(os.path.join(layout, "blobs", descriptor["digest"].replace(":", "/"))) as f:
            return json.load(f)
    with open(os.path.join(layout, "index.json")) as f:
        config = blob(blob(json.load(f)["manifests"][0])["config"])
    out, chain = [], None
    for diff in config["rootfs"]["diff_ids"]:
        chain = diff if chain is None else "sha256:" + hashlib.sha256(f"{chain} {diff}".encode()).hexdigest()
        out.insert(0, os.path.join(store, "layers", chain.split(":")[1], "diff"))
    return out


def umoci(ours, archive, base):
    """By way of skopeo: umoci knows no zstd."""
    peer, layout = os.path.join(base, "umoci"), os.path.join(base, "gzip")
    peers.run("skopeo", "copy", "-q", "--insecure-policy", "docker-archive:" + archive, f"oci:{layout}:t")
    peers.run("umoci", "unpack", "--image", layout + ":t", peer)
    yield peers.differences(ours(), peers.survey(peer + "/rootfs", root=False))
    shutil.rmtree(peer)


def podman(ours, archive, base):
    me = ["podman", "--root", base + "/p-root", "--runroot", base + "/p-run", "--storage-driver", "overlay"]
    try:
        peers.run(*me, "load", "-q", "-i", archive)
        image = peers.run(*me, "images", "-q").decode().split()[0]
        mount = peers.run(*me, "image", "mount", image).decode().strip().split()[-1]
        yield peers.differences(ours(), peers.survey(mount, root=False))
    finally:
        subprocess.run([*me, "image", "umount", "-af"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run([*me, "rmi", "-af"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(["umount", "-R", base + "/p-root/overlay"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main():
    tool, store, image, base = sys.argv[1:]
    os.umask(0o022)
    layout, archive = os.path.join(base, "layout"), os.path.join(base, "archive.tar")
    peers.run(tool, "save", "-q", "--format", "oci-dir", "-o", layout, image)
    peers.run(tool, "save", "-q", "--format", "docker-archive", "-o", archive, image)
    status, ran = 0, 0
    for peer in (umoci, podman):
        if not shutil.which(peer.__name__) or not shutil.which("skopeo"):
            continue
        with peers.Overlay(base, layers(store, layout)) as merged:
            for faults in peer(lambda: peers.survey(merged, root=False), archive, base):
                ran += 1
                print(f"{peer.__name__}: {len(faults)} differences in {len(peers.survey(merged, root=False))} files")
                for f in faults:
                    print("    " + f)
                status = status or bool(faults) or len(peers.survey(merged, root=False)) < 1000
    return status if ran else 77


sys.exit(main())
