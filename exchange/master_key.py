"""The master key: given, or made once in the data folder, for its owner's eyes only."""

import base64
import os
import secrets
import stat
from pathlib import Path

from exchange.settings import (
    MASTER_KEY_BYTES,
    PREFIX,
    Settings,
    SettingsError,
    decode_master_key,
)

OTHERS = stat.S_IRWXG | stat.S_IRWXO


KEY_FILE = "master.key"


def key_path(settings: Settings) -> Path:
    """Return where the key lies, or would be made, where none is set."""
    return settings.data_dir / KEY_FILE


def has_master_key(settings: Settings) -> bool:
    """Tell whether there is a key, set or in its file, so that none would have to be made."""
    return settings.master_key is not None or key_path(settings).exists()


def master_key(settings: Settings) -> bytes:
    """Return the 32 bytes of the master key; processes that start at once agree on one.

    Errors: SettingsError for a key file that cannot be used; it never repeats the key.
    """
    if settings.master_key is not None:
        return decode_master_key(settings.master_key)
    path = key_path(settings)
    try:
        if not path.exists():
            make_key_file(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & OTHERS:
            raise SettingsError(f"{path}: others may read it (mode {mode:o}): chmod 600 it")
        return decode_master_key(path.read_text(encoding="ascii"))
    except OSError as error:
        raise SettingsError(
            f"{path}: {error.strerror}: set {PREFIX}MASTER_KEY or {PREFIX}DATA_DIR"
        ) from error
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error


def make_key_file(path: Path) -> None:
    """Leave a whole key in the file, durably, whether ours or that of someone who was faster."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    key = base64.b64encode(secrets.token_bytes(MASTER_KEY_BYTES))
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, key + b"\n")
        os.fsync(descriptor)
        # A link is made at once or not at all, and never over a key that is there.
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        os.close(descriptor)
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
