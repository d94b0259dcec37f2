"""What a process is called, from arguments as programs write them."""

from __future__ import annotations

import pytest

from tcptop.model.label import UNNAMED, label_of, name_of


@pytest.mark.parametrize(
    ("name", "arguments", "called"),
    [
        ("python3", ["python3", "-u", "/srv/leaky.py", "--fast"], "leaky.py"),
        ("python3.11", ["/usr/bin/python3.11", "-W", "ignore", "app.py"], "app.py"),
        ("python3", ["python3", "-m", "http.server", "8000"], "http.server"),
        ("python3", ["python3", "-c", "import time; time.sleep(9)"], None),
        ("python3", ["python3"], None),
        ("python3", ["python3", "-"], None),
        ("gunicorn", ["/usr/bin/python3", "/usr/bin/gunicorn", "app:app"], None),
        ("node", ["node", "--inspect", "-r", "./trace.js", "dist/server.js"], "server.js"),
        ("node", ["nodejs", "-e", "1"], None),
        ("java", ["java", "-Xmx1g", "-jar", "/opt/billing.jar", "-x"], "billing.jar"),
        ("java", ["java", "-cp", "/a:/b", "-Da=b", "com.example.Main", "x"], "com.example.Main"),
        ("dotnet", ["dotnet", "/app/Shop.dll"], "Shop.dll"),
        ("deno", ["deno", "run", "--allow-net", "api.ts"], "api.ts"),
        ("bash", ["bash", "-x", "/opt/deploy.sh"], "deploy.sh"),
        ("bash", ["bash", "-lc", "sleep 5"], None),
        ("bash", ["-bash"], None),
        ("sh", ["sh", "-o", "pipefail", "run.sh"], "run.sh"),
        ("php", ["php", "-d", "a=b", "artisan", "serve"], "artisan"),
        ("ruby", ["ruby", "--", "/srv/puma"], "puma"),
        ("busybox", ["/bin/busybox", "httpd", "-f"], "httpd"),
        ("nginx", ["nginx: worker process", "", ""], "nginx: worker process"),
        ("postgres", ["postgres: shop [local] idle"], "postgres: shop [local] idle"),
        ("sshd", ["sshd: root@pts/0"], "sshd: root@pts/0"),
        ("redis-server", ["/usr/bin/redis-server 127.0.0.1:6379"], None),
        ("nginx", ["nginx", "-g", "daemon off;"], None),
        ("leaky.py", ["python3", "./leaky.py"], None),
        ("slowpoke", ["python3", "app.py"], None),
        ("MainThread", ["node", "server.js"], "server.js"),
        ("cache-main", ["/usr/sbin/varnishd", "-F"], "varnishd"),
        ("a-long-named-sc", ["python3", "a-long-named-script.py"], None),
        ("x", [], None),
    ],
)
def test_a_process_is_called_by_what_it_runs(
    name: str, arguments: list[str], called: str | None
) -> None:
    assert label_of(name, arguments) == called


def test_a_label_is_short() -> None:
    assert label_of("postgres", ["postgres: " + "x" * 500]) == "postgres: " + "x" * 50


@pytest.mark.parametrize(
    ("comm", "arguments", "called"),
    [
        ("nginx", ["/usr/sbin/nginx"], "nginx"),
        (" x ", ["/usr/sbin/nginx"], " x "),
        ("", ["/usr/sbin/nginx", "-g"], "nginx"),
        ("   ", ["/usr/bin/python3.11", "app.py"], "python3.11"),
        ("", ["x" * 500], "x" * 60),
        ("", [""], UNNAMED),
        ("\n", ["  ", "x"], UNNAMED),
        ("", [], UNNAMED),
    ],
)
def test_no_process_is_without_a_name(comm: str, arguments: list[str], called: str) -> None:
    assert name_of(comm, arguments) == called


def test_no_label_is_blank() -> None:
    assert label_of("python3", ["python3", "  "]) is None
