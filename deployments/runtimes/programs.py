"""How the programs of the runtime `process` are called at their supervisor, which also names their logs.

slot-SLOT            the service of a slot
slot-SLOT-PROCESS    a process of the role `slot` ([run.processes] of config/pipeline.toml)
singleton-PROCESS    one of the role `singleton`
"""

from collections.abc import Sequence

SERVICE = "web"
_SLOT = "slot-"
_SINGLETON = "singleton-"


def slot_program(slot: str, process: str = SERVICE) -> str:
    return f"{_SLOT}{slot}" if process == SERVICE else f"{_SLOT}{slot}-{process}"


def singleton_program(process: str) -> str:
    return f"{_SINGLETON}{process}"


def slot_of(program: str) -> str:
    """Return whose slot's program this is; "" of every other program."""
    return program.removeprefix(_SLOT).partition("-")[0] if program.startswith(_SLOT) else ""


def process_of(program: str) -> str:
    """Return which of an app's processes a program is."""
    if program.startswith(_SINGLETON):
        return program.removeprefix(_SINGLETON)
    return program.removeprefix(_SLOT).partition("-")[2] or SERVICE


def of_slot(declared: Sequence[str], slot: str) -> list[str]:
    """Return a slot's programs among those that are declared, the service first, declared or not."""
    return list(dict.fromkeys([slot_program(slot), *(name for name in declared if slot_of(name) == slot)]))


def singletons(declared: Sequence[str]) -> list[str]:
    return [name for name in declared if name.startswith(_SINGLETON)]
