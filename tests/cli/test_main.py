import subprocess
import sys

from tests.installation import CHECKOUT


def test_typing_a_command_does_not_import_prefect() -> None:
    code = "import sys, cli.main; sys.exit('prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, timeout=600, check=False).returncode == 0
