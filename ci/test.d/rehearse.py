"""Executes the pipelines of ci/ as their services would: each job's commands, in order.

usage: rehearse.py TOP TARGET CACHE

Jobs run in a root of their own, without privileges and without KVM (sandbox.py). What a service
does itself (check out, artefacts, the matrix) is done here as the files say; expressions of a
service that this does not know end the rehearsal.
"""

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import yaml
from sandbox import Sandbox

MATRIX = "ci/test.d/rehearsal-matrix.yaml"
SHARDS = "2"


def say(text):
    print(f"--- {text}", flush=True)


def copy(source, target):
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


class Github:
    """Runs the jobs of a workflow in the order in which it lists them."""

    def __init__(self, sandbox, path):
        self.sandbox = sandbox
        self.workflow = yaml.safe_load(path.read_text())
        self.artefacts, self.outputs = {}, {}

    def rehearse(self):
        for name, job in self.workflow["jobs"].items():
            rows = [{}]
            if "strategy" in job:
                rows = json.loads(self.value(job["strategy"]["matrix"], {}))["include"]
                assert len(rows) == int(SHARDS), rows
            for row in rows:
                self.job(name, job, row)

    def value(self, text, known):
        """Puts values for the expressions in `text`."""
        known = {
            "inputs.matrix": MATRIX,
            "inputs.shards || '4'": SHARDS,
            "github.workspace": str(self.sandbox.top),
            **known,
            **{f"needs.{job}.outputs.{k}": v for job, o in self.outputs.items() for k, v in o.items()},
        }

        def one(match):
            expression = re.sub(r"^fromJSON\((.*)\)$", r"\1", match.group(1).strip())
            if expression not in known:
                raise SystemExit(f"the rehearsal does not know `{expression}`")
            return str(known[expression])

        return re.sub(r"\$\{\{(.*?)\}\}", one, str(text))

    def job(self, name, job, row):
        say(f"github: {name} {row.get('shard', '')}")
        tree, steps = None, {}
        known = {f"matrix.{k}": v for k, v in row.items()}
        common = {k: self.value(v, known) for k, v in self.workflow.get("env", {}).items()}
        for step in job["steps"]:
            uses = step.get("uses", "").split("@")[0]
            options = {k: v for k, v in step.get("with", {}).items()}
            if uses == "actions/checkout":
                tree = self.sandbox.checkout()
            elif uses == "actions/upload-artifact":
                kept = self.sandbox.scratch / f"artefact-{len(self.artefacts)}"
                copy(tree / options["path"], kept)
                self.artefacts[self.value(options["name"], known)] = kept
            elif uses == "actions/download-artifact":
                pattern = options.get("name") or options["pattern"]
                for artefact, kept in self.artefacts.items():
                    if Path(artefact).match(pattern):
                        copy(kept, tree / options["path"])
            elif uses == "actions/cache":
                pass
            elif uses:
                raise SystemExit(f"the rehearsal does not know the action {uses}")
            else:
                steps[step.get("id")] = self.step(tree, step, {**known}, common)
        declared = job.get("outputs", {})
        known = {f"steps.{i}.outputs.{k}": v for i, o in steps.items() for k, v in o.items()}
        self.outputs[name] = {k: self.value(v, known) for k, v in declared.items()}

    def step(self, tree, step, known, common):
        output, summary = tree / ".output", tree / ".summary"
        output.write_text("")
        summary.write_text("")
        env = {**common, **{k: self.value(v, known) for k, v in step.get("env", {}).items()}}
        env["GITHUB_OUTPUT"] = str(self.sandbox.top / ".output")
        env["GITHUB_STEP_SUMMARY"] = str(self.sandbox.top / ".summary")
        self.sandbox.run(tree, self.value(step["run"], known), env)
        if "merge" in step["run"]:
            assert summary.read_text(), "the merge leaves no summary"
        return dict(line.split("=", 1) for line in output.read_text().splitlines())


def gitlab(sandbox, top):
    """The build of the parent pipeline, then the child that it writes."""
    parent = yaml.safe_load((top / "ci/gitlab/tunfarm.gitlab-ci.yml").read_text())
    env = {"MATRIX": MATRIX, "SHARDS": SHARDS}
    say("gitlab: tunfarm-build")
    tree = sandbox.checkout()
    sandbox.run(tree, "\n".join(parent["tunfarm-build"]["script"]), env)
    pipeline = yaml.safe_load((tree / "tunfarm-shards.yml").read_text())
    child = yaml.safe_load((top / pipeline["include"][0]["local"]).read_text())
    (shards,) = pipeline["tunfarm-shard"]["parallel"]["matrix"]
    assert len(shards["SHARD"]) == int(SHARDS), shards
    results = sandbox.scratch / "gitlab-results"
    for shard in shards["SHARD"]:
        say(f"gitlab: tunfarm-shard {shard}")
        job = sandbox.checkout()
        copy(tree / "dist", job / "dist")
        template = child[pipeline["tunfarm-shard"]["extends"]]
        sandbox.run(job, "\n".join(template["script"]), {**env, "SHARD": shard})
        copy(job / "results", results)
    say("gitlab: tunfarm-merge")
    job = sandbox.checkout()
    copy(tree / "dist", job / "dist")
    copy(results, job / "results")
    sandbox.run(job, "\n".join(child["tunfarm-merge"]["script"]), env)
    for report in [child["tunfarm-merge"]["artifacts"]["reports"]["junit"]]:
        assert (job / report).stat().st_size > 0, report
    return tree


def kubernetes(sandbox, top, dist):
    """The containers' command lines as pods have them, one for each index."""
    results = sandbox.scratch / "pods"
    results.mkdir()

    def pod(manifest, extra):
        job = next(
            d for d in yaml.safe_load_all((top / manifest).read_text()) if d["kind"] == "Job"
        )
        (container,) = job["spec"]["template"]["spec"]["containers"]
        env = {e["name"]: e["value"] for e in container["env"]}
        env |= {"MATRIX": MATRIX, "SHARDS": SHARDS, "RESULTS": str(sandbox.top / "results")}
        env |= {"HOSTNAME": "tunfarm-0", "HOME": "/tmp", **extra}
        tree = sandbox.checkout()
        copy(dist / "dist", tree / "dist")
        copy(results, tree / "results")
        (script,) = container["args"]
        assert container["command"][0] == "/bin/bash" and container["command"][-1] == "-c"
        path = 'PATH="$PWD/dist:$PATH"\nset -u\n'
        sandbox.run(tree, path + script, env)
        copy(tree / "results", results)

    for index in range(int(SHARDS)):
        say(f"kubernetes: index {index}")
        pod("ci/kubernetes/job.yaml", {"JOB_COMPLETION_INDEX": str(index)})
    say("kubernetes: merge")
    pod("ci/kubernetes/merge.yaml", {})
    assert (results / "merged/results.json").stat().st_size > 0


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    top, target, cache = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as scratch:
        sandbox = Sandbox(top, target, cache, scratch)
        Github(sandbox, top / "ci/github/tunfarm.yml").rehearse()
        dist = gitlab(sandbox, top)
        kubernetes(sandbox, top, dist)
    print("every job of every pipeline did its work")


main()
