"""Units and containers, from control groups as systemd and the runtimes name them."""

from __future__ import annotations

import pytest

from tcptop.model.container import Container, container_of, unit_of

ID, OTHER = "3f2a" * 16, "0b1c" * 16
POD = "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"
MIRROR = "0b1c2d3e" * 4  # a static pod's


@pytest.mark.parametrize(
    ("cgroup", "name"),
    [
        ("/system.slice/nginx.service", "nginx.service"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/editor.scope", "editor.scope"),
        ("/user.slice/user-0.slice/session-3.scope", "session-3.scope"),
        (r"/system.slice/system-my\x2dapp.slice/my\x2dapp@1.service", "my-app@1.service"),
        ("/user.slice/user-1000.slice/user@1000.service/init.scope", "init.scope"),
        ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"),
        (
            "/system.slice/run-rc2b7d8a1f4b44c5b9a9d6f0f8f7e6d5c.scope",
            "run-rc2b7d8a1f4b44c5b9a9d6f0f8f7e6d5c.scope",
        ),
        (r"/system.slice/caf\xc3\xa9.service", "café.service"),
        (r"/system.slice/odd\xff.service", "odd\ufffd.service"),
        ("/../../system.slice/nginx.service", "nginx.service"),
        (
            "/machine.slice/systemd-nspawn@web1.service/payload/system.slice/nginx.service",
            "nginx.service",
        ),
        ("/system.slice", "system.slice"),
        ("/", None),
        ("", None),
        (None, None),
    ],
)
def test_a_unit_is_the_innermost(cgroup: str | None, name: str | None) -> None:
    assert unit_of(cgroup) == name


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
        ("/lxc/web1/system.slice/nginx.service", Container("lxc", "web1")),
        ("/lxc.monitor.web1", None),
        # docker: custom parents of both drivers, rootless, and what systemd was to resolve
        (f"/my.slice/my-own.slice/docker-{ID}.scope", Container("docker", ID)),
        (f"/actions_job/{ID}", Container(None, ID)),
        (
            f"/user.slice/user-1000.slice/user@1000.service/app.slice/docker-{ID}.scope",
            Container("docker", ID),
        ),
        (f"/system.slice:docker:{ID}", Container("docker", ID)),
        (
            "/docker/buildkit/abcdefghijklmnopqrstuvwxy",
            Container("buildkit", "abcdefghijklmnopqrstuvwxy"),
        ),
        # podman: cgroupfs, rootless, split (as Quadlet has it), and its pods
        (f"/libpod_parent/libpod-{ID}", Container("podman", ID)),
        (f"/libpod_parent/{OTHER}/libpod-{ID}", Container("podman", ID, OTHER)),
        (
            f"/machine.slice/machine-libpod_pod_{OTHER}.slice/libpod-{ID}.scope/container",
            Container("podman", ID, OTHER),
        ),
        (
            f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container",
            Container("podman", ID),
        ),
        (f"/system.slice/web.service/libpod-payload-{ID}", Container("podman", ID)),
        ("/system.slice/web.service/supervisor", None),
        (f"/libpod_parent/conmon/libpod-conmon-{ID}", None),
        # containerd and CRI-O, with cgroupfs, systemd, and systemd's paths taken literally
        (f"/kubepods/burstable/pod{POD}/crio-{ID}", Container("cri-o", ID, POD)),
        (f"/kubepods.slice/kubepods-pod{POD.replace('-', '_')}.slice/crio-conmon-{ID}.scope", None),
        (f"/kubepods/pod{POD}/{ID}", Container("containerd", ID, POD)),
        (f"/kubepods/burstable/pod{MIRROR}/{ID}", Container("containerd", ID, MIRROR)),
        (
            f"/system.slice/containerd.service/kubepods-burstable-pod{POD.replace('-', '_')}.slice"
            f":cri-containerd:{ID}",
            Container("containerd", ID, POD),
        ),
        (f"/system.slice/nerdctl-{ID}.scope", Container("containerd", ID)),
        # nspawn
        ("/machine.slice/systemd-nspawn@web1.service/payload", Container("nspawn", "web1")),
        (
            r"/machine.slice/systemd-nspawn@my\x2dweb.service/supervisor",
            Container("nspawn", "my-web"),
        ),
        (r"/machine.slice/machine-my\x2dweb.scope/payload", Container("nspawn", "my-web")),
        (r"/machine.slice/machine-qemu\x2d1\x2dweb.scope/libvirt/emulator", None),
        # nested: kind, docker in docker, systemd in a container; from inside another group
        (
            f"/system.slice/docker-{OTHER}.scope/kubelet.slice/kubelet-kubepods.slice/"
            f"kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod"
            f"{POD.replace('-', '_')}.slice/cri-containerd-{ID}.scope",
            Container("containerd", ID, POD, inside=OTHER),
        ),
        (f"/docker/{OTHER}/docker/{ID}", Container("docker", ID, inside=OTHER)),
        (
            f"/docker/{OTHER}/kubelet/kubepods/besteffort/pod{POD}/{ID}",
            Container("containerd", ID, POD, inside=OTHER),
        ),
        (f"/docker/{ID}/system.slice/nginx.service", Container("docker", ID)),
        (f"/../../docker/{ID}", Container("docker", ID)),
        # what is none
        ("/", None),
        (f"/docker/{ID[1:]}", None),
        (f"/system.slice/docker-{ID}0.scope", None),
        ("/docker", None),
        ("/system.slice/nginx.service", None),
        (None, None),
    ],
)
def test_a_container_is_known_from_its_path(cgroup: str | None, found: Container | None) -> None:
    assert container_of(cgroup) == found
