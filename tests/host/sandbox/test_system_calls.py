"""The filter of system calls, carried out by a reading of it, for machines that are not this one too."""

import errno
import struct

import pytest

from host.sandbox import system_calls
from host.sandbox.system_calls import AARCH64, X86_64

ALLOWED = 0
MACHINES = {"x86_64": X86_64, "aarch64": AARCH64}
every_machine = pytest.mark.parametrize("machine", MACHINES)


def answer(
    machine: str, number: int, first: int = 0, second: int = 0, third: int = 0, architecture: int | None = None
) -> int:
    """Return the error that the filter answers a call with, 0 when it permits it."""
    known = MACHINES[machine] if architecture is None else architecture
    data = struct.pack("=IIQQQQ", number, known, 0, first, second, third)
    lines = list(struct.iter_unpack("=HBBI", system_calls.program(machine)))
    at = value = 0
    while True:
        code, jump, other, constant = lines[at]
        at += 1
        if code == system_calls.LOAD:
            value = struct.unpack_from("=I", data, constant)[0]
        elif code == system_calls.AND:
            value &= constant
        elif code == system_calls.RETURN:
            assert constant == system_calls.ALLOW or constant & 0xFFFF0000 == system_calls.REFUSE
            return ALLOWED if constant == system_calls.ALLOW else constant & 0xFFFF
        else:
            holds = {
                system_calls.JUMP_EQUAL: value == constant,
                system_calls.JUMP_AT_LEAST: value >= constant,
                system_calls.JUMP_BITS: bool(value & constant),
            }[code]
            at += jump if holds else other


@every_machine
def test_each_call_of_the_list_is_refused_and_its_neighbours_are_not(machine: str) -> None:
    column = system_calls.ARCHITECTURES[machine][1]
    refused = {pair[column] for pair in system_calls.REFUSED.values()} - {None}
    for number in range(480):
        expected = errno.EPERM if number in refused else ALLOWED
        if number == system_calls.ABSENT["clone3"][column]:
            expected = errno.ENOSYS
        if number in (system_calls.SOCKET[column], system_calls.SOCKETPAIR[column]):
            expected = errno.EAFNOSUPPORT  # family 0
        assert answer(machine, number) == expected, number


@every_machine
def test_threads_and_children_are_permitted_and_namespaces_are_not(machine: str) -> None:
    column = system_calls.ARCHITECTURES[machine][1]
    clone, unshare = system_calls.CLONE[column], system_calls.UNSHARE[column]
    thread, vfork = 0x3D0F00, 0x4111
    assert answer(machine, clone, thread) == answer(machine, clone, vfork) == answer(machine, unshare, 0x400) == ALLOWED
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert answer(machine, clone, flag | 17) == answer(machine, unshare, flag | 0x400) == errno.EPERM
    assert (answer(machine, clone, 0x80), answer(machine, unshare, 0x80)) == (ALLOWED, errno.EPERM)


@every_machine
@pytest.mark.parametrize(
    ("family", "kind", "expected"),
    [
        *((1, 1, 0), (1, 2, 0), (2, 1, 0), (2, 2 | 0o4000, 0), (10, 1 | 0o2000000, 0), (16, 3, 0)),
        *((2, 3, errno.EPERM), (10, 3 | 0o2000000, errno.EPERM), (2, 10, errno.EPERM)),
        *((17, 3, errno.EAFNOSUPPORT), (38, 5, errno.EAFNOSUPPORT), (40, 1, errno.EAFNOSUPPORT)),
    ],
)
def test_sockets_are_for_ordinary_traffic(machine: str, family: int, kind: int, expected: int) -> None:
    number = system_calls.SOCKET[system_calls.ARCHITECTURES[machine][1]]
    assert answer(machine, number, family, kind) == expected


@every_machine
@pytest.mark.parametrize(
    ("family", "kind", "protocol", "expected"),
    [
        *((2, 1, 6, 0), (10, 2, 17, 0), (2, 1, 0, 0), (16, 3, 0, 0), (1, 1, 5, 0)),
        # MPTCP, SCTP, UDP-Lite, ICMP; audit, xfrm and generic netlink
        *((family, 1, protocol, errno.EPROTONOSUPPORT) for family in (2, 10) for protocol in (262, 132, 136, 1, 58)),
        *((16, 3, protocol, errno.EPROTONOSUPPORT) for protocol in (9, 6, 16)),
    ],
)
def test_sockets_are_for_tcp_udp_and_addresses(
    machine: str, family: int, kind: int, protocol: int, expected: int
) -> None:
    number = system_calls.SOCKET[system_calls.ARCHITECTURES[machine][1]]
    assert answer(machine, number, family, kind, protocol) == expected


@every_machine
def test_a_terminals_input_is_not_written(machine: str) -> None:
    number = system_calls.IOCTL[system_calls.ARCHITECTURES[machine][1]]
    requests = (system_calls.TIOCSTI, system_calls.TIOCLINUX, 0x5413)
    assert [answer(machine, number, 0, request) for request in requests] == [errno.EPERM, errno.EPERM, ALLOWED]


@every_machine
def test_calls_by_another_convention_are_not_there(machine: str) -> None:
    assert answer(machine, 20, architecture=0x40000003) == errno.ENOSYS
    if machine == "x86_64":
        assert answer(machine, system_calls.X32 | 39) == errno.ENOSYS
