"""What a process is called, from arguments and cgroups as programs and systemd write them."""

from __future__ import annotations

import pytest

from tcptop.model.label import Container, container_of, label_of, unit_of

ID = "3f2a" * 16


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
    ("cgroup", "name"),
    [
        ("/system.slice/nginx.service", "nginx.service"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/editor.scope", "editor.scope"),
        ("/user.slice/user-0.slice/session-3.scope", "session-3.scope"),
        (r"/system.slice/system-my\x2dapp.slice/my\x2dapp@1.service", "my-app@1.service"),
        ("/system.slice", "system.slice"),
        ("/", None),
        ("", None),
        (None, None),
    ],
)
def test_a_unit_is_the_innermost(cgroup: str | None, name: str | None) -> None:
    assert unit_of(cgroup) == name


POD = "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"


@pytest.mark.parametrize(
    ("cgroup", "found"),
    [
        (f"/system.slice/docker-{ID}.scope", Container("docker", ID)),
        (f"/docker/{ID}", Container("docker", ID)),
        (f"/machine.slice/libpod-{ID}.scope/container", Container("podman", ID)),
        (f"/machine.slice/libpod-conmon-{ID}.scope", None),
        (
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"
            f"{POD.replace('-', '_')}.slice/cri-containerd-{ID}.scope",
            Container("containerd", ID, POD),
        ),
        (f"/kubepods/besteffort/pod{POD}/{ID}", Container("containerd", ID, POD)),
        (
            f"/kubepods.slice/kubepods-pod{POD.replace('-', '_')}.slice/crio-{ID}.scope",
            Container("cri-o", ID, POD),
        ),
        ("/lxc.payload.web1/init.scope", Container("lxc", "web1")),
        ("/system.slice/nginx.service", None),
        (None, None),
    ],
)
def test_a_container_is_known_from_its_path(cgroup: str | None, found: Container | None) -> None:
    assert container_of(cgroup) == found
