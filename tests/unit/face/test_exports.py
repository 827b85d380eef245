"""`import rota` is light, and its names are what the docs say."""

import subprocess
import sys

import pytest

import rota


def test_every_exported_name_is_there_and_sorted() -> None:
    assert sorted(rota.__all__) == rota.__all__
    for name in rota.__all__:
        assert getattr(rota, name) is not None
    assert set(dir(rota)) == set(rota.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Scheduler'"):
        _ = rota.Scheduler


def loaded_by(statement: str) -> set[str]:
    script = f"{statement}; import sys; print('\\n'.join(sys.modules))"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    )


SERVER = ("grpc", "sqlalchemy", "sqlite3", "uvicorn", "websockets", "httptools", "alembic", "litestar", "cyclopts")


def test_importing_rota_loads_next_to_nothing() -> None:
    modules = loaded_by("import rota")
    assert not [name for name in (*SERVER, "google.protobuf", "msgspec", "picows", "asyncio") if name in modules]
    assert {name for name in modules if name.startswith("rota")} <= {"rota", "rota.model", "rota.model.version"}


def test_an_app_and_a_client_load_no_server_part() -> None:
    modules = loaded_by("from rota import App, Client, AsyncClient, Handle, Context, Retry, Task; App().task(print)")
    assert not [name for name in (*SERVER, "picows", "uvloop", "psutil") if name in modules]
    assert not [
        name for name in modules if name.startswith(("rota.house", "rota.engine", "rota.storage", "rota.transport"))
    ]
