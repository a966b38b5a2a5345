"""A user whom the system does not know has a number for a name; one who has a name keeps it."""

import getpass
import os
from pathlib import Path

import pytest

from fer_exp.process import user


def test_a_user_without_an_entry_is_called_by_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", unknown)
    environment: dict[str, str] = {}
    user.name_if_unknown(environment)
    assert environment == {"USER": str(os.getuid())}


def test_a_user_with_a_name_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "me")
    environment: dict[str, str] = {}
    user.name_if_unknown(environment)
    assert environment == {}


def test_who_has_no_home_gets_a_folder_and_who_has_one_keeps_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment: dict[str, str] = {}
    user.house_if_homeless(environment, "cache")
    assert environment == {}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as where nobody knows it
    user.house_if_homeless(environment, "cache")
    assert environment == {"HOME": str(tmp_path / "cache")}
