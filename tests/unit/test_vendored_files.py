"""Vendored files are the ones that were taken from the registry, each with its licence."""

from __future__ import annotations

import hashlib

from server.web.dashboard.assets import FOLDER

VENDOR = FOLDER / "vendor"
_LINES = (VENDOR / "CHECKSUMS").read_text(encoding="utf-8").splitlines()
LISTED = {
    name: checksum
    for checksum, name in (line.split("  ", 1) for line in _LINES if line and line[0] != "#")
}


def test_vendored_files_when_hashed_again_are_all_as_listed() -> None:
    found = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "CHECKSUMS"
    }
    assert found == LISTED


def test_vendored_package_has_a_version_a_licence_and_its_name_in_the_registry() -> None:
    folders = [path for path in VENDOR.iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        name, _, version = folder.name.rpartition("-")
        assert [path.name for path in folder.glob("LICENSE*")], folder
        assert any(f"{name}" in line and f"@{version}, " in line for line in _LINES), folder
