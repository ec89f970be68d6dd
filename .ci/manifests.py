"""The Kubernetes manifests and compose.yaml, as far as they can be judged without a cluster.

Rendered by kustomize as a user would, each resource against Kubernetes' own schema (strict: an
unknown field is an error), the pods against the rules of the restricted Pod Security profile, the
selectors against the pods they are meant for, and every setting named against the program's own.
Not judged: whether a cluster's controllers, storage classes and load balancers do what they say.

    .ci/manifests.py        (run from the root, in an environment with kubernetes-validate)
"""

import pathlib
import re
import subprocess
import sys

import kubernetes_validate
import yaml

FOLDER = pathlib.Path("deploy/kubernetes")
ALLOWED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
problems = []


def main():
    resources = rendered()
    for resource in resources:
        schema(resource)
    pods = [r for r in resources if r["kind"] == "StatefulSet"]
    for pod in pods:
        restricted(pod["spec"]["template"]["spec"])
    selectors(resources, pods[0]["spec"]["template"]["metadata"]["labels"])
    everything_listed()
    settings_exist(resources)
    names = ", ".join(f"{r['kind']}/{r['metadata']['name']}" for r in resources)
    print(f"{len(resources)} resources: {names}")
    for problem in problems:
        print(f"WRONG: {problem}")
    print(f"{1 if not problems else 0} passed, {len(problems)} failed")
    sys.exit(bool(problems))


def rendered():
    text = subprocess.run(["kubectl", "kustomize", FOLDER], check=True, capture_output=True, text=True).stdout
    return list(yaml.safe_load_all(text))


def schema(resource):
    try:
        kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError as error:
        problems.append(f"{resource['kind']}/{resource['metadata']['name']}: {error.message}")


def restricted(pod):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, restricted."""
    own = pod.get("securityContext", {})
    rule(own.get("runAsNonRoot") is True, "runAsNonRoot")
    rule(own.get("runAsUser") == image_user(), f"runAsUser is not the image's {image_user()}")
    rule(own.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"), "seccompProfile")
    rule(not any(pod.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC")), "a host namespace")
    for volume in pod.get("volumes", []):
        rule(ALLOWED_VOLUMES.issuperset(set(volume) - {"name"}), f"volume {volume['name']}")
    for container in pod["containers"] + pod.get("initContainers", []):
        context = container.get("securityContext", {})
        rule(context.get("allowPrivilegeEscalation") is False, "allowPrivilegeEscalation")
        rule(context.get("capabilities", {}).get("drop") == ["ALL"], "capabilities")
        rule(context.get("readOnlyRootFilesystem") is True, "readOnlyRootFilesystem")
        rule(not context.get("privileged"), "privileged")
        rule(not any(port.get("hostPort") for port in container.get("ports", [])), "a host port")


def rule(holds, name):
    if not holds:
        problems.append(f"restricted Pod Security: {name}")


def image_user():
    return int(re.search(r"^USER (\d+)", pathlib.Path("Dockerfile").read_text(), re.M)[1])


def selectors(resources, labels):
    for resource in resources:
        spec, kind = resource.get("spec", {}), resource["kind"]
        found = {
            "Service": lambda: spec["selector"],
            "PodDisruptionBudget": lambda: spec["selector"]["matchLabels"],
            "NetworkPolicy": lambda: spec["podSelector"]["matchLabels"],
            "StatefulSet": lambda: spec["selector"]["matchLabels"],
        }.get(kind, dict)()
        if kind != "Namespace" and not found.items() <= labels.items():
            problems.append(f"{kind}/{resource['metadata']['name']} selects no pod of ours")


def everything_listed():
    listed = set(yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"])
    there = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    if listed != there:
        problems.append(f"kustomization.yaml lists {sorted(listed ^ there)} wrongly")


def settings_exist(resources):
    """A misspelt variable is ignored by the program, so it is refused here."""
    known = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", pathlib.Path(".env.example").read_text(), re.M))
    named = {key for r in resources if r["kind"] == "ConfigMap" for key in r["data"]}
    demo = pathlib.Path("deploy/demo/demo.env").read_text()
    named |= {key for key in re.findall(r"^([A-Z][A-Z0-9_]+)=", demo, re.M) if not key.startswith(("XSA_", "S3_"))}
    compose = yaml.safe_load(pathlib.Path("compose.yaml").read_text())
    named |= set(compose["services"]["listener"]["environment"])
    for unknown in sorted(named - known):
        problems.append(f"{unknown} is no setting of the program")


if __name__ == "__main__":
    main()
