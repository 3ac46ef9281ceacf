"""Settings: which source wins, what stops the start, and that nothing gives a secret away."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from server.cli import main
from server.config import (
    CONFIG_FILE,
    ROOT,
    SECRETS_FILE,
    Config,
    ConfigError,
    load,
    project_root,
)
from server.settings import SETTINGS, Setting
from tests.integration.http_fixtures import COUNTRY_DB

LONG_KEY = "a-key-of-at-least-thirty-two-characters"


def read(
    root: Path,
    environ: Mapping[str, str] | None = None,
    *,
    toml: str | None = None,
    dev_vars: str | None = None,
) -> Config:
    """The config of a folder with these files; SECRET_KEY is given, so that none is made."""
    if toml is not None:
        (root / CONFIG_FILE).write_text(toml, "utf-8")
    if dev_vars is not None:
        (root / SECRETS_FILE).write_text(dev_vars, "utf-8")
    return load(root, {"SECRET_KEY": LONG_KEY, **(environ or {})})


def refusal(
    root: Path,
    environ: Mapping[str, str] | None = None,
    *,
    toml: str | None = None,
    dev_vars: str | None = None,
) -> str:
    """Why a start is refused: one line, whatever was wrong."""
    with pytest.raises(ConfigError) as caught:
        read(root, environ, toml=toml, dev_vars=dev_vars)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def run(root: Path, *words: str, **settings: str) -> Result:
    """A command as run in that folder, without settings of the machine."""
    env: dict[str, str | None] = {setting.name: None for setting in SETTINGS}
    before = Path.cwd()
    os.chdir(root)
    try:
        return CliRunner().invoke(main, words, env=env | settings)
    finally:
        os.chdir(before)


def test_config_when_nothing_is_set_is_the_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, {})
    assert (config.host, config.port) == ("127.0.0.1", 8787)
    assert config.data_dir == tmp_path / "data"
    assert config.database_path == tmp_path / "data" / "propgauge.db"
    assert (config.demo, config.allow_private_targets) == (True, False)
    assert (config.make_webhook_url, config.trusted_proxies, config.country_db) == ("", (), None)
    assert config.log_level == "INFO"


@pytest.mark.parametrize(
    ("toml", "dev_vars", "environ", "host"),
    [
        ("", "", {}, "127.0.0.1"),
        ('[vars]\nHOST = "toml"', "", {}, "toml"),
        ('[vars]\nHOST = "toml"', "HOST=dev-vars", {}, "dev-vars"),
        ('[vars]\nHOST = "toml"', "HOST=dev-vars", {"HOST": "environ"}, "environ"),
        ('[vars]\nHOST = "toml"', "", {"HOST": "environ"}, "environ"),
        ("", "HOST=dev-vars", {}, "dev-vars"),
        ('[vars]\nHOST = "toml"', "HOST=dev-vars", {"HOST": ""}, "dev-vars"),
        ('[vars]\nHOST = "toml"', "HOST=", {"HOST": "  "}, "toml"),
        ('[vars]\nHOST = "toml"', "HOST", {"HOST": ""}, "toml"),
        ('[vars]\nHOST = ""', "HOST=''", {"HOST": ""}, "127.0.0.1"),
    ],
)
def test_setting_when_several_sources_name_it_is_the_nearest_that_is_not_empty(
    tmp_path: Path, toml: str, dev_vars: str, environ: dict[str, str], host: str
) -> None:
    assert read(tmp_path, environ, toml=toml, dev_vars=dev_vars).host == host


@pytest.mark.parametrize(
    ("toml", "port"),
    [
        ("[dev]\nport = 9001", 9001),
        ("[dev]\nport = 9001\n[vars]\nPORT = 9002", 9002),
        ('[vars]\nPORT = "9003"', 9003),
        ("[dev]", 8787),
    ],
)
def test_port_when_wranglers_dev_table_names_one_is_it_unless_a_var_does(
    tmp_path: Path, toml: str, port: int
) -> None:
    assert read(tmp_path, toml=toml).port == port


@pytest.mark.parametrize("word", ["on", "true", "1", "yes", "ON", "True"])
def test_switch_when_it_says_yes_in_any_way_is_on(tmp_path: Path, word: str) -> None:
    assert read(tmp_path, {"ALLOW_PRIVATE_TARGETS": word}).allow_private_targets is True


@pytest.mark.parametrize("value", ["false", '"off"', '"0"', '"no"'])
def test_switch_when_the_file_says_no_in_any_way_is_off(tmp_path: Path, value: str) -> None:
    assert read(tmp_path, toml=f"[vars]\nDEMO = {value}").demo is False


def test_trusted_proxies_when_addresses_and_networks_are_given_are_networks(
    tmp_path: Path,
) -> None:
    config = read(tmp_path, {"TRUSTED_PROXIES": "10.0.0.7, 192.168.0.1/16 ,::1"})
    assert [str(network) for network in config.trusted_proxies] == [
        "10.0.0.7/32",
        "192.168.0.0/16",
        "::1/128",
    ]


def test_addresses_when_they_end_in_a_slash_lose_it(tmp_path: Path) -> None:
    config = read(tmp_path, {"PUBLIC_URL": "https://leads.example.com/"})
    assert config.public_url == "https://leads.example.com"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:leads.db", "{root}/leads.db"),
        ("file:below/leads.db", "{root}/below/leads.db"),
        ("file:/var/lib/leads.db", "/var/lib/leads.db"),
        ("file:///var/lib/leads.db", "/var/lib/leads.db"),
    ],
)
def test_database_when_its_url_names_a_file_is_that_file(
    tmp_path: Path, url: str, path: str
) -> None:
    config = read(tmp_path, {"DATABASE_URL": url})
    assert str(config.database_path) == path.format(root=tmp_path)


@pytest.mark.parametrize(
    ("url", "driven"),
    [
        ("libsql://leads.example.turso.io", "https://leads.example.turso.io"),
        ("https://db.example.com:8443/", "https://db.example.com:8443"),
        ("wss://db.example.com", "wss://db.example.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("ws://localhost:8080", "ws://localhost:8080"),
    ],
)
def test_database_when_its_url_names_a_server_is_that_server(
    tmp_path: Path, url: str, driven: str
) -> None:
    config = read(tmp_path, {"DATABASE_URL": url, "LIBSQL_AUTH_TOKEN": "token"})
    assert (config.database_url, config.database_is_file) == (driven, False)
    assert "token" in config.secret_values()


def test_database_when_it_is_plain_and_elsewhere_needs_leave(tmp_path: Path) -> None:
    elsewhere = {"DATABASE_URL": "http://db.example.com:8080"}
    assert "ALLOW_PLAIN_DATABASE=on" in refusal(tmp_path, elsewhere)
    allowed = read(tmp_path, {**elsewhere, "ALLOW_PLAIN_DATABASE": "on"})
    assert allowed.database_url == elsewhere["DATABASE_URL"]


def test_data_dir_when_it_is_absolute_is_taken_as_it_is(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    config = read(tmp_path / "root", {"DATA_DIR": str(elsewhere)})
    assert config.database_path == elsewhere / "propgauge.db"


def test_country_db_when_it_is_relative_is_found_beside_the_settings(tmp_path: Path) -> None:
    (tmp_path / "geo").mkdir()
    (tmp_path / "geo" / "countries.mmdb").symlink_to(COUNTRY_DB)
    config = read(tmp_path, toml='[vars]\nCOUNTRY_DB = "geo/countries.mmdb"')
    assert config.country_db == tmp_path / "geo" / "countries.mmdb"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9000"),
        ("0.0.0.0", "http://127.0.0.1:9000"),
        ("::", "http://[::1]:9000"),
        ("::1", "http://[::1]:9000"),
        ("localhost", "http://localhost:9000"),
    ],
)
def test_local_url_of_a_host_is_where_this_machine_reaches_it(
    tmp_path: Path, host: str, url: str
) -> None:
    assert read(tmp_path, {"HOST": host, "PORT": "9000"}).local_url == url


MALFORMED = [
    ("HOST", "no such host"),
    ("PORT", "http"),
    ("PORT", "0"),
    ("PORT", "65536"),
    ("PORT", "-1"),
    ("PORT", "87.87"),
    ("DATABASE_URL", "postgres://db.example.com/leads"),
    ("DATABASE_URL", "leads.db"),
    ("DATABASE_URL", "file:"),
    ("DATABASE_URL", "libsql://"),
    ("DATABASE_URL", "https://user:secret@db.example.com"),
    ("DATABASE_URL", "https://db.example.com?authToken=secret"),
    ("DATABASE_URL", "wss://db.example.com:port"),
    ("DATABASE_URL", "http://db.example.com"),
    ("DATABASE_URL", "ws://10.0.0.7:8080"),
    ("LIBSQL_AUTH_TOKEN", "two hidden words"),
    ("ALLOW_PLAIN_DATABASE", "perhaps"),
    ("PUBLIC_URL", "leads.example.com"),
    ("PUBLIC_URL", "ftp://leads.example.com"),
    ("PUBLIC_URL", "https://"),
    ("MAKE_WEBHOOK_URL", "hook.eu2.make.com/hidden"),
    ("MAKE_WEBHOOK_URL", "file:///hidden"),
    ("MAKE_WEBHOOK_URL", "https://[hidden]/x"),
    ("MAKE_WEBHOOK_URL", "https://user:hidden@example\u2100.com/x"),
    ("MAKE_WEBHOOK_URL", "https://example.com:hidden/x"),
    ("MAKE_WEBHOOK_SECRET", "whsec_hidden-and-no-base64!"),
    ("MAKE_WEBHOOK_SECRET", "whsec_"),
    ("SECRET_KEY", "hidden-but-too-short"),
    ("TRUSTED_PROXIES", "*"),
    ("TRUSTED_PROXIES", "10.0.0.0/8, proxy.example.com"),
    ("TRUSTED_PROXIES", "10.0.0.0/33"),
    ("ALLOW_PRIVATE_TARGETS", "perhaps"),
    ("COUNTRY_DB", "/nowhere/countries.mmdb"),
    ("COUNTRY_DB", "/tmp"),  # noqa: S108  a folder is no file
    ("DEMO", "2"),
    ("LOG_LEVEL", "loud"),
]


@pytest.mark.parametrize(("name", "value"), MALFORMED)
def test_setting_when_it_is_malformed_stops_the_start_and_is_named(
    tmp_path: Path, name: str, value: str
) -> None:
    message = refusal(tmp_path, {name: value})
    assert message.startswith(f"{name}: ")
    assert "hidden" not in message


@pytest.mark.parametrize(("name", "value"), [case for case in MALFORMED if case[0] != "SECRET_KEY"])
def test_setting_when_it_is_malformed_in_a_file_stops_the_start_and_is_named(
    tmp_path: Path, name: str, value: str
) -> None:
    assert refusal(tmp_path, dev_vars=f"{name}='{value}'").startswith(f"{name}: ")
    assert refusal(tmp_path, toml=f"[vars]\n{name} = '{value}'", dev_vars="").startswith(
        f"{name}: "
    )


@pytest.mark.parametrize("value", ["two\nlines", "tab\tand\rreturn"])
def test_refusal_when_the_value_has_control_characters_is_still_one_line(
    tmp_path: Path, value: str
) -> None:
    assert refusal(tmp_path, {"LOG_LEVEL": value}).startswith("LOG_LEVEL: ")


def test_country_db_when_the_file_is_no_database_stops_the_start_and_is_named(
    tmp_path: Path,
) -> None:
    (tmp_path / "junk.mmdb").write_text("no MaxMind database")
    message = refusal(tmp_path, {"COUNTRY_DB": str(tmp_path / "junk.mmdb")})
    assert message.startswith("COUNTRY_DB: ")


@pytest.mark.parametrize("below", ["file", "file/below"])
def test_data_dir_when_it_cannot_be_made_stops_the_start_and_is_named(
    tmp_path: Path, below: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"^DATA_DIR: .*\Z"):
        load(tmp_path, {"DATA_DIR": str(tmp_path / below)})


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ('[vars]\nMAKE_WEBHOOK = "x"', "'MAKE_WEBHOOK'"),
        ('[vars]\nport = "8787"', "'port'"),
        ('PORT = "8787"', "'PORT'"),
        ("[var]\nPORT = 8787", "'var'"),
        ("[dev]\nprot = 8787", "'prot'"),
        ('[vars]\nHOST = {name = "x"}', "HOST"),
        ("[vars]\nTRUSTED_PROXIES = ['10.0.0.1']", "TRUSTED_PROXIES"),
        ("vars = 3", "vars"),
        ("dev = 3", "dev"),
        ("[[vars]]", "vars"),
        ("[vars", CONFIG_FILE),
        ("[vars]\nPORT = 1\nPORT = 2", CONFIG_FILE),
    ],
)
def test_wrangler_file_when_a_name_or_its_form_is_wrong_stops_the_start(
    tmp_path: Path, toml: str, named: str
) -> None:
    assert named in refusal(tmp_path, toml=toml)


@pytest.mark.parametrize(
    "dev_vars", ["MAKE_WEBHOOK=x", "port=8787", "PORT=8787\nexport NAME=x", "PATH=/bin"]
)
def test_secrets_file_when_it_has_an_unknown_name_stops_the_start(
    tmp_path: Path, dev_vars: str
) -> None:
    assert refusal(tmp_path, dev_vars=dev_vars).startswith(f"{SECRETS_FILE}: unknown setting '")


@pytest.mark.parametrize(
    "dev_vars",
    ["MAKE_WEBHOOK_SECRET hidden", "PORT=8787\nMAKE_WEBHOOK_SECRET='hidden\n", "= hidden"],
)
def test_secrets_file_when_a_line_cannot_be_read_stops_the_start_without_showing_it(
    tmp_path: Path, dev_vars: str
) -> None:
    message = refusal(tmp_path, dev_vars=dev_vars)
    assert message.startswith(f"{SECRETS_FILE}: ")
    assert "hidden" not in message


@pytest.mark.parametrize("file", [CONFIG_FILE, SECRETS_FILE])
def test_settings_file_when_it_is_no_text_stops_the_start(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_bytes(b"HOST = '\xff'")
    assert refusal(tmp_path).startswith(f"{file}: ")


def test_environment_when_it_has_other_names_is_no_matter(tmp_path: Path) -> None:
    assert read(tmp_path, {"MAKE_WEBHOOK": "x", "port": "1"}).port == 8787


def test_secrets_file_when_it_is_dotenv_is_read_as_such(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        dev_vars="# secrets\nexport MAKE_WEBHOOK_SECRET='a $HOME # b'\n\nMAKE_WEBHOOK_URL="
        '"https://hook.example.com/x?a=b"  # Make\n',
    )
    assert config.make_webhook_secret == "a $HOME # b"
    assert config.make_webhook_url == "https://hook.example.com/x?a=b"


def test_wrangler_file_when_it_has_every_key_of_wranglers_we_use_is_taken(tmp_path: Path) -> None:
    toml = """
    name = "propgauge"
    main = "worker.js"
    compatibility_date = "2026-01-01"
    compatibility_flags = ["nodejs_compat"]
    [vars]
    LOG_LEVEL = "debug"
    [[d1_databases]]
    binding = "DB"
    database_name = "propgauge"
    database_id = "0"
    migrations_dir = "migrations"
    [triggers]
    crons = ["0 3 * * *"]
    [assets]
    directory = "./static"
    [observability]
    enabled = true
    [dev]
    ip = "localhost"
    port = 8787
    [env.staging]
    vars = {LOG_LEVEL = "info"}
    """
    assert read(tmp_path, toml=toml).log_level == "DEBUG"


def test_wrangler_file_of_the_project_names_what_wrangler_and_we_share() -> None:
    content = tomllib.loads((ROOT / CONFIG_FILE).read_text("utf-8"))
    (database,) = content["d1_databases"]
    assert database["binding"] == "DB"
    assert {"database_name", "database_id"} < database.keys()
    assert (ROOT / database["migrations_dir"] / "001_create_leads.sql").is_file()
    assert (ROOT / content["assets"]["directory"] / "tracker.js").is_file()
    assert content["dev"]["port"] == 8787
    assert {"name", "compatibility_date", "vars"} < content.keys()
    assert content["vars"].keys() <= {setting.name for setting in SETTINGS}
    assert not str(content.get("main", "")).endswith(".py")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_setting_of_the_program_stands_in_the_readme_with_its_default(setting: Setting) -> None:
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in (ROOT / "README.md").read_text("utf-8").splitlines()
        if line.lstrip().startswith("|")
    ]
    (row,) = [row for row in rows if row[0] == f"`{setting.name}`"]
    assert row[1] == (f"`{setting.default}`" if setting.default else "")
    assert row[2] == setting.help


def test_secret_key_when_none_is_given_is_made_once_for_the_owner_only(tmp_path: Path) -> None:
    first = load(tmp_path, {}).secret_key
    kept = tmp_path / "data" / "secret_key"
    assert len(first) >= 32
    assert load(tmp_path, {}).secret_key == kept.read_text().strip() == first
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [path.name for path in kept.parent.iterdir()] == ["secret_key"]


def test_secret_key_when_one_is_given_is_it_and_none_is_made(tmp_path: Path) -> None:
    assert load(tmp_path, {"SECRET_KEY": LONG_KEY}).secret_key == LONG_KEY
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("content", ["", "\n", "short"])
def test_secret_key_when_the_kept_one_is_too_short_stops_the_start(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret_key").write_text(content)
    with pytest.raises(ConfigError, match=r"^SECRET_KEY: .*\Z"):
        load(tmp_path, {})


def test_secret_key_when_several_processes_start_at_once_is_the_same_for_all(
    tmp_path: Path,
) -> None:
    code = (
        "import sys; from pathlib import Path; from server.config import load;"
        "print('ready', flush=True); sys.stdin.readline();"
        "print(load(Path(sys.argv[1]), {}).secret_key)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    keys = {process.communicate(timeout=30)[0] for process in processes}
    assert len(keys) == 1
    assert len(keys.pop().strip()) >= 32


def test_config_when_it_is_shown_gives_no_secret_away(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        {"MAKE_WEBHOOK_URL": "https://hook.example.com/hidden", "MAKE_WEBHOOK_SECRET": "hidden"},
    )
    assert not re.search(f"hidden|{LONG_KEY}", f"{config} {config!r}")
    assert set(config.secret_values()) == {
        "https://hook.example.com/hidden",
        "hidden",
        LONG_KEY,
    }


def test_project_root_when_the_folder_has_a_settings_file_is_that_folder(tmp_path: Path) -> None:
    assert project_root(tmp_path) == ROOT
    (tmp_path / CONFIG_FILE).touch()
    assert project_root(tmp_path) == tmp_path


@pytest.mark.parametrize(
    ("toml", "dev_vars", "environ", "named"),
    [
        ("", "", {"PORT": "http"}, "PORT"),
        ("[vars]\nPROT = 1", "", {}, "'PROT'"),
        ("", "MAKE_URL=hidden", {}, "'MAKE_URL'"),
        ("", "MAKE_WEBHOOK_URL=hidden", {}, "MAKE_WEBHOOK_URL"),
        ("", "", {"SECRET_KEY": "hidden"}, "SECRET_KEY"),
        ("", "", {"DATA_DIR": "/dev/null/hidden-not"}, "DATA_DIR"),
        ("[vars", "", {}, CONFIG_FILE),
    ],
)
@pytest.mark.parametrize("command", ["serve", "migrate", "doctor"])
def test_command_when_a_setting_is_wrong_ends_with_one_line_that_names_it(
    tmp_path: Path, command: str, toml: str, dev_vars: str, environ: dict[str, str], named: str
) -> None:
    (tmp_path / CONFIG_FILE).write_text(toml)
    (tmp_path / SECRETS_FILE).write_text(dev_vars)
    result = run(tmp_path, command, **environ)
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert named in line
    assert "hidden" not in line.replace("hidden-not", "")


def test_program_when_a_setting_is_wrong_ends_with_one_line_that_names_it(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "server", "serve"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PORT": "http"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [
        "Error: PORT: 'http' cannot be used: "
        + ended.stderr.partition("cannot be used: ")[2].strip()
    ]
