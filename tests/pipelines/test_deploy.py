"""The manifests under deploy/ follow the schemas, fit each other, and their commands are ours."""

import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from spadework.config.models import Config

DEPLOY = Path(__file__).parents[2] / "deploy"
KUSTOMIZATION = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())
MANIFESTS = [
    (name, document)
    for name in KUSTOMIZATION["resources"]
    for document in yaml.safe_load_all((DEPLOY / name).read_text())
]
SECRETS = {"spadework-postgres": {"password"}, "spadework-keys": {"litellm", "anthropic"}}


def of_kind(kind):
    return {one["metadata"]["name"]: one for _, one in MANIFESTS if one["kind"] == kind}


def pods():
    """Every pod that the manifests make, by what makes it."""
    for _, one in MANIFESTS:
        if one["kind"] in {"Deployment", "StatefulSet"}:
            yield one["metadata"]["name"], one["spec"]["template"]
        if one["kind"] == "CronJob":
            yield one["metadata"]["name"], one["spec"]["jobTemplate"]["spec"]["template"]


def containers():
    for name, pod in pods():
        for container in pod["spec"]["containers"]:
            yield name, pod, container


@pytest.mark.parametrize(("name", "manifest"), MANIFESTS)
def test_a_manifest_follows_the_schema(name, manifest):
    kubernetes_validate.validate(manifest, "1.31", strict=True)
    assert name in KUSTOMIZATION["resources"]


def test_every_manifest_is_in_the_kustomization():
    files = {file.name for file in DEPLOY.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(KUSTOMIZATION["resources"])


def test_all_but_the_namespace_lie_in_it():
    spaces = {
        one["metadata"].get("namespace") for _, one in MANIFESTS if one["kind"] != "Namespace"
    }
    assert spaces == set(of_kind("Namespace"))


def test_secrets_are_named_and_never_given():
    assert not of_kind("Secret")
    named = [
        variable["valueFrom"]["secretKeyRef"]
        for _, _, container in containers()
        for variable in container["env"]
        if "valueFrom" in variable
    ]
    assert named
    assert all(one["key"] in SECRETS[one["name"]] for one in named)
    readme = (DEPLOY / "README.md").read_text()
    for name, keys in SECRETS.items():
        assert name in readme
        assert all(f"--from-literal={key}=" in readme for key in keys)


def test_volumes_labels_and_services_fit():
    for name, pod, container in containers():
        known = {one["name"] for one in pod["spec"].get("volumes", [])}
        if name == "postgres":
            known |= {
                one["metadata"]["name"]
                for one in of_kind("StatefulSet")[name]["spec"]["volumeClaimTemplates"]
            }
        assert {mount["name"] for mount in container["volumeMounts"]} <= known
        for volume in pod["spec"].get("volumes", []):
            if "configMap" in volume:
                assert volume["configMap"]["name"] in of_kind("ConfigMap")
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                assert claim in of_kind("PersistentVolumeClaim")
    for owner in (*of_kind("Deployment").values(), *of_kind("StatefulSet").values()):
        labels = owner["spec"]["template"]["metadata"]["labels"]
        assert owner["spec"]["selector"]["matchLabels"].items() <= labels.items()
    service = of_kind("Service")["postgres"]
    assert service["spec"]["selector"] == {"app": "postgres"}


def test_pods_have_no_rights_that_they_do_not_need():
    for _, pod, container in containers():
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["resources"]["limits"]["memory"]


def test_the_config_is_one_of_ours_and_names_the_database_of_the_service():
    text = of_kind("ConfigMap")["spadework-config"]["data"]["config.toml"]
    config = Config.model_validate(tomllib.loads(text), context={"folder": Path("/")})
    assert config.pipelines.engine.partition("@")[2].partition("/")[0] in of_kind("Service")


def commands():
    """What our containers and the unit start, as arguments of `spadework`."""
    for _, _, container in containers():
        if not container["image"].startswith("spadework"):
            continue
        words = shlex.split(" ".join(container["args"]))
        yield words[words.index("spadework") + 1 :] if "spadework" in words else words
    unit = (DEPLOY / "spadework-worker.service").read_text()
    (line,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    yield shlex.split(line)[1:]


@pytest.mark.parametrize("words", list(commands()))
def test_a_command_is_one_of_ours(words):
    names = [word for word in words[:2] if word.isalpha()]
    shown = subprocess.run(
        [sys.executable, "-m", "spadework", *names, "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    options = [word for word in words if word.startswith("--")]
    assert options
    assert all(option in shown for option in options)


def test_the_image_has_the_extra_and_what_it_copies_exists():
    text = (DEPLOY / "Containerfile").read_text()
    assert "[pipelines," in text
    for line in text.splitlines():
        if line.startswith("COPY"):
            *sources, _ = line.split()[1:]
            assert all((DEPLOY.parent / source).exists() for source in sources)
    assert "://" not in text


def test_the_unit_is_one_that_systemd_takes():
    unit = DEPLOY / "spadework-worker.service"
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "spadework-worker" in line]
    assert not [line for line in said if "is not executable" not in line], said
