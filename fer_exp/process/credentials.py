"""Passwords in addresses: put aside in the environment where a command line begins, and shown nowhere.

Every command puts aside what its arguments hold; from then on there is `postgresql://me:***@host/db` in arguments,
configuration, records and messages. Who connects asks for the whole address. Processes that are started here inherit
what was put aside, as they inherit MLFLOW_TRACKING_PASSWORD; on another machine such variables must be set there.
"""

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import unquote

KEPT_ENV = "FER_EXP_CREDENTIALS"  # JSON: address as it is shown -> whole address
HIDDEN = "***"
VARIABLES = (KEPT_ENV, "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
"""Those that hold passwords; whoever writes an environment to a disk leaves them out."""
_SHORTEST = 6  # a shorter password is hidden in addresses only: it may well be a part of a word

# The port is no password: `http://host:5000/models@champion`; nor is what follows a drive: `file://C:/a@b`.
_NOT_A_PORT = r"(?!\d{1,5}(?:/|$)|/)"
_PASSWORD = re.compile(rf"(://[^\s/@:'\"]*:){_NOT_A_PORT}[^\s'\"]+@")
_TOKEN = re.compile(r"(https?://)[^\s/@:'\"]+@")
_WHOLE = re.compile(rf"([A-Za-z][\w+.-]*://[^/@:]*:){_NOT_A_PORT}.+@", re.DOTALL)  # of what is known to be an address
_QUERY = re.compile(
    r"([?&;](?:[\w-]*(?:password|passwd|pwd|secret|token|signature|credential|api_?key|access_?key)[\w-]*|sig)=)"
    r"([^&;#\s'\"]+)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://")


def hidden(text: str) -> str:
    """Returns a text without passwords and tokens: those in addresses, and those that this process knows."""
    for secret in _known():
        text = text.replace(secret, HIDDEN)
    if "://" not in text:
        return text
    text = _PASSWORD.sub(rf"\1{HIDDEN}@", text)
    text = _TOKEN.sub(rf"\1{HIDDEN}@", text)
    return _QUERY.sub(rf"\1{HIDDEN}", text)


def hidden_in(value: Any) -> Any:
    """Returns what JSON can hold with every text in it, and every key, as `hidden` returns it."""
    if isinstance(value, str):
        return hidden(value)
    if isinstance(value, Mapping):
        return {hidden_in(key): hidden_in(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [hidden_in(inner) for inner in value]
    return value


def put_aside(address: str) -> str:
    """Keeps an address for `whole`, if there is a password in it, and returns what may be shown of it."""
    if HIDDEN in address or not _ADDRESS.match(address):
        return address
    shown = hidden(_WHOLE.sub(rf"\1{HIDDEN}@", address))
    if shown != address:
        os.environ[KEPT_ENV] = json.dumps({**_kept(), shown: address})
    return shown


def put_aside_all(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments of a command with what may be shown of the addresses in them."""
    return [_argument(word) for word in arguments]


def arguments() -> list[str]:
    """Returns the arguments of this process as `put_aside_all` does; its tracebacks show no passwords from now on."""
    sys.excepthook = _without_passwords
    return put_aside_all(sys.argv[1:])


def whole(address: str) -> str:
    """Returns an address with the password that was put aside; one of which nobody has put anything aside as it is.

    A server's address that says only that there was a password loses that: what the environment says may serve.
    """
    kept = _kept()
    if address not in kept and re.match(rf"https?://[^/@]*{re.escape(HIDDEN)}@", address):
        return re.sub(r"(?<=://)[^/@]*@", "", address)
    return kept.get(address, address)


def hand_over(address: str) -> str:
    """Returns the address of a server without user and password, which MLflow finds in the environment from now on.

    What MLflow prints and logs of the address can then hold none. A token in the place of a user stays where it is.

    Args:
        address: As from `whole`.
    """
    found = re.fullmatch(r"(https?://)([^/@:]*):(.+)@([^@]*)", address, re.DOTALL)
    if found is None or not found[2] or re.match(_NOT_A_PORT, f"{found[3]}@") is None:
        return address
    os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = (
        unquote(found[2]),
        unquote(found[3]),
    )
    return f"{found[1]}{found[4]}"


class Formatter(logging.Formatter):
    """Formats what is logged as the standard one does, without passwords."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line, or lines, of a record."""
        return hidden(super().format(record))


def _argument(word: str) -> str:
    key, equals, value = word.partition("=")
    if not equals or "://" in key:
        return put_aside(word)
    quote = value[0] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else ""
    shown = put_aside(value[1:-1].replace(f"\\{quote}", quote) if quote else value)
    return word if HIDDEN not in shown else f"{key}={quote}{shown}{quote}"


def _kept() -> dict[str, str]:
    text = os.environ.get(KEPT_ENV)
    return {str(shown): str(address) for shown, address in json.loads(text).items()} if text else {}


def _known() -> list[str]:
    """Returns the passwords of this process, the longest first, as they were typed and as they are decoded."""
    found = {os.environ[name] for name in VARIABLES[1:] if name in os.environ}
    for shown, address in _kept().items():
        start, end = shown.split(HIDDEN)[0], shown.rsplit(HIDDEN, 1)[1]
        found.add(address[len(start) : len(address) - len(end)])
    both = {form for secret in found for form in (secret, unquote(secret))}
    return sorted((secret for secret in both if len(secret) >= _SHORTEST), key=len, reverse=True)


def _without_passwords(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(hidden("".join(traceback.format_exception(kind, error, trace))))
