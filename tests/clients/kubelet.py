#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the kubelet: calls methods of a CRI runtime service for shell scripts.

    kubelet.py SOCKET FIFO

Each line that comes out of the fifo names a directory. The file "request" there has a method's name in its first line and then JSON with
the field names of runtime.v1. The fifo "answer" there gets a line with "0", or with "1" if the call failed, and then the answer as
JSON with what it has of the fields below, or the gRPC status and its text. Calls may overlap: each has a thread of its own.

One interpreter for all calls, as starting one takes longer than most calls do. Instead of generated stubs there is a table of the
messages that are used, each field with its number in the protocol, and the wire format of protocol buffers in two functions.
"""

import json
import re
import sys
import threading

import grpc

# One message a paragraph: its name, then "field=number" with, if it is no string, ":type"; "*" says repeated, "map" is of strings.
MESSAGES = """
Nothing

SandboxName        name=1 uid=2 namespace=3 attempt=4:int
NamespaceModes     network=1:int pid=2:int ipc=3:int target_id=4
SandboxSecurity    namespace_options=1:NamespaceModes privileged=6:int
SandboxLinux       cgroup_parent=1 security_context=2:SandboxSecurity sysctls=3:map
Sandbox            metadata=1:SandboxName hostname=2 log_directory=3 labels=6:map annotations=7:map linux=8:SandboxLinux
SandboxId          pod_sandbox_id=1
RunSandbox         config=1:Sandbox runtime_handler=2
SandboxNetwork     ip=1
SandboxState       id=1 state=3:int network=5:SandboxNetwork runtime_handler=9
SandboxAnswer      status=1:SandboxState
SandboxItem        id=1 metadata=2:SandboxName state=3:int
SandboxList        items=1:SandboxItem*

Name               name=1 attempt=2:int
Image              image=1
Variable           key=1 value=2
Mount              container_path=1 host_path=2 readonly=3:int propagation=5:int
Device             container_path=1 host_path=2 permissions=3
Number             value=1:int
Resources          cpu_period=1:int cpu_quota=2:int cpu_shares=3:int memory_limit_in_bytes=4:int oom_score_adj=5:int cpuset_cpus=6
Capabilities       add=1* drop=2*
Security           capabilities=1:Capabilities privileged=2:int namespace_options=3:NamespaceModes run_as_user=5:Number
                   readonly_rootfs=7:int supplemental_groups=8:int* seccomp_profile_path=10 no_new_privs=11:int run_as_group=12:Number
Linux              resources=1:Resources security_context=2:Security
Container          metadata=1:Name image=2:Image command=3* args=4* working_dir=5 envs=6:Variable* mounts=7:Mount* devices=8:Device*
                   labels=9:map annotations=10:map log_path=11 stdin=12:int tty=14:int linux=15:Linux
CreateContainer    pod_sandbox_id=1 config=2:Container sandbox_config=3:Sandbox
ContainerId        container_id=1
StopContainer      container_id=1 timeout=2:int
State              id=1 state=3:int exit_code=7:int reason=10 message=11
StateAnswer        status=1:State

Exec               container_id=1 cmd=2* timeout=3:int
ExecAnswer         stdout=1 stderr=2 exit_code=3:int
Update             container_id=1 linux=2:Resources
Cpu                timestamp=1:int usage_core_nano_seconds=2:Number
Memory             timestamp=1:int working_set_bytes=2:Number
Stats              cpu=2:Cpu memory=3:Memory
StatsAnswer        stats=1:Stats
VersionAnswer      runtime_name=2 runtime_version=3 runtime_api_version=4
"""

METHODS = {
    "Version": ("Nothing", "VersionAnswer"),
    "RunPodSandbox": ("RunSandbox", "SandboxId"),
    "PodSandboxStatus": ("SandboxId", "SandboxAnswer"),
    "ListPodSandbox": ("Nothing", "SandboxList"),
    "StopPodSandbox": ("SandboxId", "Nothing"),
    "RemovePodSandbox": ("SandboxId", "Nothing"),
    "CreateContainer": ("CreateContainer", "ContainerId"),
    "StartContainer": ("ContainerId", "Nothing"),
    "StopContainer": ("StopContainer", "Nothing"),
    "RemoveContainer": ("ContainerId", "Nothing"),
    "ContainerStatus": ("ContainerId", "StateAnswer"),
    "ExecSync": ("Exec", "ExecAnswer"),
    "UpdateContainerResources": ("Update", "Nothing"),
    "ContainerStats": ("ContainerId", "StatsAnswer"),
}

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def read_messages(text):
    """{message: {field: (number, type, repeated)}}; a line that begins with a blank goes on with the message above it."""
    messages, fields = {"Pair": {"key": (1, "str", False), "value": (2, "str", False)}}, None
    for line in text.splitlines():
        words = line.split()
        if words and not line[0].isspace():
            fields = messages.setdefault(words.pop(0), {})
        for word in words:
            name, number, kind, many = re.fullmatch(r"(\w+)=(\d+)(?::(\w+))?(\*?)", word).groups()
            fields[name] = (int(number), kind or "str", bool(many))
    return messages


TYPES = read_messages(MESSAGES)


def number_out(value):
    value &= 0xFFFFFFFFFFFFFFFF  # negative ones are sent as 64 bits of two's complement
    octets = bytearray()
    while value >= 0x80:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def pack(message, values):
    out = bytearray()
    for name, value in values.items():
        number, kind, many = TYPES[message][name]
        if kind == "map":
            kind, value = "Pair", [{"key": k, "value": v} for k, v in value.items()]
        elif not many:
            value = [value]
        for item in value:
            if kind == "int":
                out += number_out(number << 3 | VARINT) + number_out(int(item))
                continue
            item = item.encode() if kind == "str" else pack(kind, item)
            out += number_out(number << 3 | BYTES) + number_out(len(item)) + item
    return bytes(out)


def number_in(data, at):
    value = shift = 0
    while True:
        octet = data[at]
        at += 1
        value |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            return value, at


def unpack(message, data):
    fields = {number: (name, kind, many) for name, (number, kind, many) in TYPES[message].items()}
    values, at = {}, 0
    while at < len(data):
        tag, at = number_in(data, at)
        wire = tag & 7
        if wire == VARINT:
            value, at = number_in(data, at)
        else:
            size = {FIXED64: 8, FIXED32: 4}.get(wire)
            if size is None:
                size, at = number_in(data, at)
            value, at = data[at : at + size], at + size
        name, kind, many = fields.get(tag >> 3, (None, None, None))
        if name is None:
            continue
        if kind == "int":
            value -= (value >> 63) << 64
        else:
            value = value.decode(errors="replace") if kind == "str" else unpack(kind, value)
        if many:
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    return values


def call(channel, method, values):
    request, answer = METHODS[method]
    stub = channel.unary_unary(
        "/runtime.v1.RuntimeService/" + method,
        request_serializer=lambda message: pack(request, message),
        response_deserializer=lambda data: unpack(answer, data),
    )
    return stub(values, timeout=55)


def serve(channel, directory):
    try:
        with open(directory + "/request", encoding="utf-8") as file:
            method, _, values = file.read().partition("\n")
        result = "0\n" + json.dumps(call(channel, method, json.loads(values)))
    except grpc.RpcError as error:
        result = f"1\n{error.code().name}: {error.details()}"
    except (OSError, KeyError, ValueError) as error:
        result = f"1\nthe request itself is wrong: {error!r}"
    with open(directory + "/answer", "w", encoding="utf-8") as file:
        file.write(result + "\n")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    # Open for writing, too: it does not end when nobody is asking.
    with grpc.insecure_channel("unix://" + sys.argv[1]) as channel, open(sys.argv[2], "r+b", buffering=0) as fifo:
        while True:
            directory = fifo.readline().decode().rstrip("\n")
            threading.Thread(target=serve, args=(channel, directory), daemon=True).start()


main()
