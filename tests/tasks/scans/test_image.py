import io
import tarfile

from gates.scans.image_packages import Installed
from tasks.scans.image import read_files

SITE = "./app/.venv/lib/python3.11/site-packages"


def exported(files: dict[str, str]) -> tarfile.TarFile:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    made.seek(0)
    return tarfile.open(fileobj=made, mode="r|")


def test_python_packages_are_seen_by_their_metadata_and_the_app_itself_is_none() -> None:
    files = {
        f"{SITE}/Flask-3.0.3.dist-info/METADATA": "Name: Flask\n",
        f"{SITE}/app-0.1.dist-info/direct_url.json": '{"dir_info": {}, "url": "file:///app"}',
        f"{SITE}/app-0.1.dist-info/METADATA": "Name: app\n",
        f"{SITE}/wheel_of-1.dist-info/METADATA": "Name: wheel-of\n",
        f"{SITE}/wheel_of-1.dist-info/direct_url.json": '{"archive_info": {}, "url": "file:///a.whl"}',
    }
    assert set(read_files(exported(files)).python) == {
        Installed("flask", "3.0.3"),
        Installed("app", "0.1", own=True),
        Installed("wheel-of", "1"),
    }
