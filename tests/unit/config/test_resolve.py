"""Settings: one definition, four places, and every fault told at once."""

import dataclasses
from pathlib import Path

import pytest

from rota.config import ClientSettings, NodeSettings, WorkerSettings, resolve, settings_table, unknown_variables
from rota.config.sections import every_setting, settings_in
from rota.link.channel import MAX_FRAME
from rota.model.errors import InvalidInput, RefusesToStart

STRONG = "mK3x9Qz7Lw2Rt8Vb5Nc1Yd6Hf4Jg0Psa"


def config(folder: Path, text: str) -> Path:
    path = folder / "rota.toml"
    path.write_text(text, "utf-8")
    return path


def faults(error: pytest.ExceptionInfo[InvalidInput]) -> dict[str, str]:
    return {fault.path: fault.message for fault in error.value.errors}


def test_a_flag_beats_a_variable_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    file = config(tmp_path, "[node]\nhttp_port = 1\ngrpc_port = 1001\nlease_ttl = '40s'\n")
    env = {"ROTA_HTTP_PORT": "2", "ROTA_GRPC_PORT": "1002"}
    settings = resolve(NodeSettings, {"http_port": "3", "grpc_port": None}, env=env, file=file)
    assert (settings.http_port, settings.grpc_port, settings.lease_ttl) == (3, 1002, 40_000_000)
    assert settings.heartbeat == 10_000_000


def test_the_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    file = config(tmp_path, "[client]\nurl = ['http://a:1', 'http://b:2']\n")
    assert resolve(ClientSettings, env={"ROTA_CONFIG": str(file)}).url == ("http://a:1", "http://b:2")


def test_defaults_are_the_plans(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    node = resolve(NodeSettings, env={})
    assert (node.host, node.http_port, node.durability, node.max_payload) == ("127.0.0.1", 8080, "full", 1 << 20)
    assert node.data == tmp_path / "rota"
    assert node.store_path == tmp_path / "rota" / "rota.db"


def test_root_keeps_its_data_in_var_lib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert resolve(NodeSettings, env={}).data == Path("/var/lib/rota")


def test_a_data_folder_with_odd_characters_survives_the_url(tmp_path: Path) -> None:
    node = resolve(NodeSettings, {"data": str(tmp_path / "50% off #1?")}, env={})
    assert node.store_path == tmp_path / "50% off #1?" / "rota.db"


def test_everything_wrong_in_a_file_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    file = config(tmp_path, "[node]\nhttp_prt = 1\nlease_ttl = 'soon'\n\n[wroker]\nx = 1\n[client]\ntoken = 'x'\n")
    with pytest.raises(InvalidInput) as error:
        resolve(ClientSettings, env={}, file=file)
    told = faults(error)
    assert "did you mean http_port?" in told[f"{file}:2: node.http_prt"]
    assert "write 30" in told[f"{file}:3: node.lease_ttl"]
    assert "did you mean worker?" in told[f"{file}:5: [wroker]"]
    assert "token_file" in told[f"{file}:8: client.token"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[node", "Expected"),
        ("a" * (1024 * 1024 + 2), "larger than 1 MiB"),
        ("x = " + "[" * 5000, "nest"),
        ("node = 5", "section"),
        ("[node]\nhttp_port = true", "bool cannot stand here"),
        ("[node]\nhost = 1979-05-27", "date cannot stand here"),
    ],
)
def test_a_broken_file_is_bad_arguments_not_a_crash(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        resolve(NodeSettings, env={}, file=config(tmp_path, text))


def test_a_file_that_is_not_there_or_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such file"):
        resolve(NodeSettings, env={}, file=tmp_path / "nowhere.toml")
    with pytest.raises(InvalidInput, match="no regular file"):
        resolve(NodeSettings, env={}, file=tmp_path)


def test_bad_values_of_every_place_are_told_together() -> None:
    with pytest.raises(InvalidInput) as error:
        resolve(NodeSettings, {"http_port": "70000"}, env={"ROTA_DURABILITY": "ful", "ROTA_MAX_PAYLOAD": "1GiB"})
    told = faults(error)
    assert set(told) == {"--http-port", "ROTA_DURABILITY", "ROTA_MAX_PAYLOAD"}
    assert "did you mean full?" in told["ROTA_DURABILITY"]


def test_settings_that_do_not_fit_together_are_told_where_they_were_said() -> None:
    with pytest.raises(InvalidInput) as error:
        resolve(NodeSettings, {"lease_ttl": "1s"}, env={"ROTA_HEARTBEAT": "5s", "ROTA_TLS_CERT": "/x"})
    told = faults(error)
    assert "raise it to 15s" in told["--lease-ttl"]
    assert "longer than lease_ttl" in told["closed_lease_ttl"]
    assert "together" in told["tls_key"]


@pytest.mark.parametrize("store", ["mysql://root:hunter2@db/x", "postgresql+asyncpg://u:hunter2@db/x"])
def test_a_cluster_store_says_when_it_comes_and_shows_no_password(store: str) -> None:
    with pytest.raises(InvalidInput, match="cluster release") as error:
        resolve(NodeSettings, {"store": store}, env={})
    assert "hunter2" not in str(error.value)


def test_what_child_processes_may_use_is_said_in_sizes_and_counts() -> None:
    said = {"isolation": "process", "max_child_memory": "256MiB", "max_tasks_per_child": "100"}
    settings = resolve(WorkerSettings, said, env={})
    assert (settings.isolation, settings.max_child_memory, settings.max_tasks_per_child) == ("process", 2**28, 100)
    unbound = resolve(WorkerSettings, {}, env={})
    assert (unbound.isolation, unbound.max_child_memory, unbound.max_tasks_per_child) == ("thread", None, None)
    with pytest.raises(InvalidInput, match="64MiB"):
        resolve(WorkerSettings, {"max_child_memory": "1MiB"}, env={})


@pytest.mark.parametrize(
    "url", ["ftp://x", "localhost:8080", "http://u:hunter2@x:1", "http://x:port", "http://x?q", ""]
)
def test_an_address_that_no_node_can_have_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as error:
        resolve(ClientSettings, {"url": url}, env={})
    assert "hunter2" not in str(error.value)


def test_an_unknown_variable_is_told_with_a_suggestion() -> None:
    env = {"ROTA_HTP_PORT": "1", "ROTA_URL": "http://x", "ROTA_FAILPOINTS": "", "OTHER": "1"}
    assert unknown_variables(env) == ["the variable ROTA_HTP_PORT is read by nothing; did you mean ROTA_HTTP_PORT?"]


def test_an_empty_variable_counts_as_not_set_but_a_blank_token_does_not() -> None:
    assert resolve(NodeSettings, env={"ROTA_HOST": ""}).host == "127.0.0.1"
    for blank in ("", "  "):
        with pytest.raises(RefusesToStart, match="blank"):
            resolve(NodeSettings, env={"ROTA_TOKEN": blank})


def test_a_token_is_never_shown() -> None:
    settings = resolve(ClientSettings, env={"ROTA_TOKEN": STRONG + " "})
    assert settings.secret() == STRONG
    assert STRONG not in repr(settings)


def test_a_token_file_must_be_there_be_private_and_hold_one_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    settings = resolve(ClientSettings, {"token_file": str(file)}, env={})
    with pytest.raises(RefusesToStart, match="cannot be read"):
        settings.secret()
    file.write_text(STRONG + "\n")
    file.chmod(0o644)
    with pytest.raises(RefusesToStart, match="chmod 600"):
        settings.secret()
    file.chmod(0o600)
    assert settings.secret() == STRONG
    file.write_text(f"# as a node has it\nclient,viewer {STRONG}\n")
    assert settings.secret() == STRONG
    file.write_text(f"{STRONG}\n{STRONG}\n")
    with pytest.raises(RefusesToStart, match="one token"):
        settings.secret()


def test_two_tokens_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(RefusesToStart, match="both"):
        resolve(ClientSettings, {"token_file": str(tmp_path / "x")}, env={"ROTA_TOKEN": STRONG}).secret()


def test_the_largest_payload_fits_into_a_frame() -> None:
    with pytest.raises(InvalidInput, match="out of bounds"):
        resolve(NodeSettings, {"max_payload": str(MAX_FRAME)}, env={})


def test_one_key_means_one_kind_of_value_in_every_section() -> None:
    kinds: dict[str, set[str]] = {}
    for setting in every_setting():
        kinds.setdefault(setting.key, set()).add(setting.kind.name)
    assert {key: names for key, names in kinds.items() if len(names) > 1} == {}


@pytest.mark.parametrize("kind", [NodeSettings, WorkerSettings, ClientSettings])
def test_every_default_can_be_written_as_a_value(kind: type) -> None:
    section = {NodeSettings: "node", WorkerSettings: "worker", ClientSettings: "client"}[kind]
    for setting, field in zip(settings_in(section), dataclasses.fields(kind), strict=True):
        if field.default not in (dataclasses.MISSING, None):
            assert setting.kind.take(setting.kind.show(field.default)) == field.default


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_table_names_every_setting(lang: str) -> None:
    table = settings_table(lang)
    for setting in every_setting():
        assert f"`{setting.variable}`" in table
        assert setting.text[lang].replace("|", "\\|") in table
    assert "`--token`" not in table
