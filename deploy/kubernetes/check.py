#!/usr/bin/env python3
"""Checks the manifests: deploy/kubernetes/check.py target/debug/sessile

Every object against the schema of its kind; the configuration, with the variables of the pod, by the program itself;
ports, volumes and labels against each other. Needs kubernetes-validate from PyPI, and kubectl where it is there.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml

HERE = pathlib.Path(__file__).parent
LABEL = "app.kubernetes.io/name"


def rendered(place):
    """The objects as kubectl would apply them; without kubectl, as they stand in the files."""
    shutil.copytree(HERE, place, dirs_exist_ok=True)
    (place / "cluster.secret").write_text("not a secret\n")
    if shutil.which("kubectl"):
        text = subprocess.run(["kubectl", "kustomize", place], check=True, capture_output=True, text=True).stdout
        return [o for o in yaml.safe_load_all(text) if o], True
    listed = yaml.safe_load((HERE / "kustomization.yaml").read_text())["resources"]
    return [o for name in listed for o in yaml.safe_load_all((HERE / name).read_text()) if o], False


def check_schemas(objects):
    version = kubernetes_validate.latest_version()
    for one in objects:
        kubernetes_validate.validate(one, version, strict=True)
    return version


def check_references(objects, is_rendered):
    kinds = {(o["kind"], o["metadata"]["name"]): o for o in objects}
    pod = kinds["StatefulSet", "sessile"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for o in objects:
        if o["kind"] == "Service":
            for port in o["spec"]["ports"]:
                assert port["targetPort"] in ports, f"{o['metadata']['name']}: no port {port['targetPort']}"
    for probe in ("readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] in ports, probe
    volumes = {volume["name"] for volume in pod["volumes"]}
    for c in pod["containers"] + pod["initContainers"]:
        assert {m["name"] for m in c["volumeMounts"]} <= volumes, c["name"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    if is_rendered:
        for o in objects:
            spec = o.get("spec", {})
            selector = spec.get("selector", spec.get("podSelector"))
            if selector is not None:
                assert LABEL in selector.get("matchLabels", selector), f"{o['kind']} selects every pod"
    return container, ports


def check_configuration(program, container, ports):
    """The program takes the configuration with the variables of a pod."""
    pod = {"metadata.name": "sessile-0", "status.podIP": "10.244.0.7"}
    given = {}
    for entry in container["env"]:
        value = entry.get("value") or pod[entry["valueFrom"]["fieldRef"]["fieldPath"]]
        for name, known in given.items():
            value = value.replace(f"$({name})", known)
        given[entry["name"]] = value
    run = [program, "config", "show", HERE / "node.toml"]
    done = subprocess.run(run, env={**os.environ, **given}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr, done.stderr
    for wanted in ['name = "sessile-0"', 'advertise = "10.244.0.7:4001"', 'secret_file = "/run/sessile/cluster.secret"']:
        assert wanted in done.stdout, f"{wanted}:\n{done.stdout}"
    for table, port in (("http", "http"), ("admin", "admin"), ("receiver", "replication")):
        assert f'listen = "0.0.0.0:{ports[port]}"' in done.stdout, f"[{table}] listens elsewhere than port {port}"


def main():
    with tempfile.TemporaryDirectory() as place:
        objects, is_rendered = rendered(pathlib.Path(place))
        version = check_schemas(objects)
        container, ports = check_references(objects, is_rendered)
        check_configuration(sys.argv[1], container, ports)
    how = "rendered by kustomize" if is_rendered else "as they stand in the files, because there is no kubectl"
    print(f"Kubernetes: {len(objects)} objects, {how}, follow the schemas of {version}")


if __name__ == "__main__":
    main()
