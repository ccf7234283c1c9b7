"""The system calls that app code is refused, whatever its level: a seccomp filter, put in place right before it starts.

It closes the kernel's large and rarely needed parts: what looks into other processes, keyrings, namespaces of one's own
(and with them the file systems and packet filters of a namespace's root), programs in the kernel, raw packets. Most of
it needs a capability that app code lacks; the filter also holds where the kernel forgets to ask. See seccomp(2) and
docs/decisions/0030. For x86_64 and aarch64; `supported` says whether this host has it.

Standard library only, and no import of ours: the launcher loads it.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

# <linux/audit.h>, and the numbers of asm/unistd_64.h and asm-generic/unistd.h.
X86_64, AARCH64 = 0xC000003E, 0xC00000B7
X32 = 0x40000000  # the other way to call the same kernel, with numbers of its own
ARCHITECTURES = {"x86_64": (X86_64, 0), "aarch64": (AARCH64, 1)}
SECCOMP = (317, 277)

REFUSED: dict[str, tuple[int | None, int | None]] = {
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # keyrings
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # programs and queues inside the kernel
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18),
    # roots and mounts
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "open_by_handle_at": (304, 265),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    # the machine
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
}
# Its flags lie in memory, where a filter cannot look; the C library falls back to clone when it is not there.
ABSENT = {"clone3": (435, 435)}
CLONE, UNSHARE = (56, 220), (272, 97)
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; NEWTIME is a signal's number to clone.
NEW_NAMESPACES, NEW_TIME = 0x7E020000, 0x80
SOCKET, SOCKETPAIR = (41, 198), (53, 199)
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
SOCK_RAW, SOCK_PACKET, SOCK_TYPE_MASK = 3, 10, 0xF
# <linux/in.h>, <linux/netlink.h>: what the type stands for by itself, TCP, UDP; interfaces and addresses.
IPPROTO_DEFAULT, IPPROTO_TCP, IPPROTO_UDP, NETLINK_ROUTE = 0, 6, 17, 0
IOCTL = (16, 29)
# Put characters into a terminal's input, as if its user had typed them.
TIOCSTI, TIOCLINUX = 0x5412, 0x541C

# <linux/bpf_common.h>, <linux/seccomp.h>.
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_BITS, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
SET_MODE_FILTER, SPEC_ALLOW = 1, 4
# struct seccomp_data
NUMBER, ARCHITECTURE, FIRST, SECOND, THIRD = 0, 4, 16, 24, 32

libc = ctypes.CDLL(None, use_errno=True)


class Instruction(NamedTuple):
    """One instruction; a jump goes to a label when its comparison holds, else on."""

    code: int
    value: int
    label: str = ""


class Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def supported() -> bool:
    """Return whether this machine's filter is known here and its kernel takes filters."""
    machine = os.uname().machine
    if machine not in ARCHITECTURES or sys.byteorder != "little" or sys.maxsize < 2**32:
        return False
    number = SECCOMP[ARCHITECTURES[machine][1]]
    return libc.syscall(number, SET_MODE_FILTER, 0, None) != 0 and ctypes.get_errno() == errno.EFAULT


def restrict() -> None:
    """Refuse the calls to this process and all that it starts, for good. It must have given up new privileges.

    Raises OSError if the kernel does not take the filter.
    """
    machine = os.uname().machine
    content = program(machine)
    number = SECCOMP[ARCHITECTURES[machine][1]]
    given = Program(len(content) // 8, content)
    # SPEC_ALLOW (Linux 4.17): a filter alone is no reason to switch off what makes the processor fast.
    for flags in (SPEC_ALLOW, 0):
        if libc.syscall(number, SET_MODE_FILTER, flags, ctypes.byref(given)) == 0:
            return
    raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


def program(machine: str) -> bytes:
    """Return the filter for "x86_64" or "aarch64", as the kernel takes it: `struct sock_filter` one after another."""
    instructions: list[Instruction] = []
    labels: dict[str, int] = {}
    for item in _lines(*ARCHITECTURES[machine]):
        if isinstance(item, str):
            labels[item] = len(instructions)
        else:
            instructions.append(item)
    code = b""
    for at, line in enumerate(instructions):
        distance = labels[line.label] - at - 1 if line.label else 0
        code += struct.pack("=HBBI", line.code, distance, 0, line.value)
    return code


def _lines(architecture: int, column: int) -> Iterator[Instruction | str]:
    """Yield the program: instructions, and labels before what they name. Calls by number first: these are remembered
    by the kernel and cost nothing afterwards.
    """
    yield Instruction(LOAD, ARCHITECTURE)
    yield Instruction(JUMP_EQUAL, architecture, "ours")
    yield Instruction(RETURN, REFUSE | errno.ENOSYS)
    yield "ours"
    yield Instruction(LOAD, NUMBER)
    if architecture == X86_64:
        yield Instruction(JUMP_AT_LEAST, X32, "absent")
    for name, label in (*((name, "absent") for name in ABSENT), *((name, "refused") for name in REFUSED)):
        number = (ABSENT | REFUSED)[name][column]
        if number is not None:
            yield Instruction(JUMP_EQUAL, number, label)
    yield Instruction(JUMP_EQUAL, CLONE[column], "clone")
    yield Instruction(JUMP_EQUAL, UNSHARE[column], "unshare")
    yield Instruction(JUMP_EQUAL, SOCKET[column], "socket")
    yield Instruction(JUMP_EQUAL, SOCKETPAIR[column], "socket")
    yield Instruction(JUMP_EQUAL, IOCTL[column], "ioctl")
    yield Instruction(RETURN, ALLOW)
    yield from _by_arguments()
    yield "refused"
    yield Instruction(RETURN, REFUSE | errno.EPERM)
    yield "absent"
    yield Instruction(RETURN, REFUSE | errno.ENOSYS)


def _by_arguments() -> Iterator[Instruction | str]:
    """Yield what is decided by a call's arguments."""
    for name, flags in (("clone", NEW_NAMESPACES), ("unshare", NEW_NAMESPACES | NEW_TIME)):
        yield name
        yield Instruction(LOAD, FIRST)
        yield Instruction(JUMP_BITS, flags, "refused")
        yield Instruction(RETURN, ALLOW)
    yield "socket"
    yield Instruction(LOAD, FIRST)
    yield Instruction(JUMP_EQUAL, AF_UNIX, "allowed")
    yield Instruction(JUMP_EQUAL, AF_NETLINK, "netlink")
    for family in (AF_INET, AF_INET6):
        yield Instruction(JUMP_EQUAL, family, "internet")
    yield Instruction(RETURN, REFUSE | errno.EAFNOSUPPORT)
    yield "internet"
    yield Instruction(LOAD, SECOND)
    yield Instruction(AND, SOCK_TYPE_MASK)
    for kind in (SOCK_RAW, SOCK_PACKET):
        yield Instruction(JUMP_EQUAL, kind, "refused")
    yield Instruction(LOAD, THIRD)
    for protocol in (IPPROTO_DEFAULT, IPPROTO_TCP, IPPROTO_UDP):
        yield Instruction(JUMP_EQUAL, protocol, "allowed")
    yield Instruction(RETURN, REFUSE | errno.EPROTONOSUPPORT)
    yield "netlink"
    yield Instruction(LOAD, THIRD)
    yield Instruction(JUMP_EQUAL, NETLINK_ROUTE, "allowed")
    yield Instruction(RETURN, REFUSE | errno.EPROTONOSUPPORT)
    yield "allowed"
    yield Instruction(RETURN, ALLOW)
    yield "ioctl"
    yield Instruction(LOAD, SECOND)
    for request in (TIOCSTI, TIOCLINUX):
        yield Instruction(JUMP_EQUAL, request, "refused")
    yield Instruction(RETURN, ALLOW)
