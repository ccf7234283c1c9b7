import pytest

from evidence.python_metadata import read_metadata
from gates.scans.licences import Package

METADATA = """Metadata-Version: 2.4
Name: Shop_Cart
Version: 1.0
License: Lizenz der Universität Köln
        in two lines
Classifier: License :: OSI Approved :: MIT License
Classifier: Typing :: Typed

License-Expression: in the description, so it is none
"""


def test_a_package_is_what_its_metadata_says() -> None:
    package = read_metadata(METADATA.encode(), shipped=True)
    classifiers = ("License :: OSI Approved :: MIT License", "Typing :: Typed")
    assert package == Package("shop-cart", "1.0", "python", True, "", classifiers, package.text)
    assert package.text.splitlines()[0] == "Lizenz der Universität Köln"


@pytest.mark.parametrize("metadata", [b"", b"Name: shop\n", b"Version: 1\n", b"Name: a\nName: b\nVersion: 1\n"])
def test_metadata_without_one_name_and_version_is_refused(metadata: bytes) -> None:
    with pytest.raises(ValueError, match="names no package"):
        read_metadata(metadata, shipped=True)
