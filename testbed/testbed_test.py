#!/usr/bin/env python3
"""The parts of the testbed that need no cluster: what is built of what, records of processes,
images, volumes, and what the commands say to bad words. smoke_test.py brings up the real thing."""
import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import unittest
import unittest.mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from kit import build, images, machine, node, pki, processes, testbed  # noqa: E402
from kit import versions, volumes  # noqa: E402


class Temporary(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name


class VersionsTest(unittest.TestCase):
    def test_a_minor_means_its_pinned_release(self):
        for word in ("1.34", "v1.34", "1.34.4", "v1.34.4"):
            self.assertEqual(versions.release(word), "1.34.4")

    def test_what_is_not_pinned_is_refused_with_what_is(self):
        for word in ("1.3", "1.34.3", "latest", ""):
            with self.assertRaisesRegex(ValueError, r"1\.34 \(1\.34\.4\)"):
                versions.release(word)

    def test_the_server_is_told_its_version(self):
        recipe = versions.kubernetes("1.34.4")
        self.assertIn("version.gitVersion=v1.34.4", recipe.ldflags)
        self.assertIn("version.gitMinor=34", recipe.ldflags)
        self.assertEqual(list(recipe.packages)[:3],
                         ["kube-apiserver", "kube-controller-manager", "kubectl"],
                         "the control plane's programs are built first, and alone if asked for")


class BuildTest(Temporary):
    GO_MOD = """module k8s.io/kubernetes
require k8s.io/one v0.0.0
require (
\tgithub.com/other/thing v0.0.0-2024
\tk8s.io/api v0.0.0
\tk8s.io/kubelet v0.0.0 // indirect
\tk8s.io/klog/v2 v2.130.1
)
replace k8s.io/api => ./staging/src/k8s.io/api
"""

    def test_staging_modules_are_those_of_version_zero(self):
        self.assertEqual(build.staging_modules(self.GO_MOD),
                         ["k8s.io/api", "k8s.io/kubelet", "k8s.io/one"])

    def test_staging_modules_follow_the_release(self):
        text = build.go_mod_text(versions.kubernetes("1.34.4"), ["k8s.io/api"], "1.34.4")
        self.assertIn("require k8s.io/kubernetes v1.34.4\n", text)
        self.assertIn("replace k8s.io/api => k8s.io/api v0.34.4\n", text)

    def test_a_module_without_kubernetes_replaces_nothing(self):
        self.assertNotIn("replace", build.go_mod_text(versions.coredns(), [], ""))

    def test_our_own_sources_are_not_fetched(self):
        self.assertNotIn("testbed/", build.tools_go_text(versions.pause()))

    def test_only_what_is_missing_is_built(self):
        for name in ("there", "empty"):
            build.write(f"{self.folder}/{name}", "")
        os.chmod(f"{self.folder}/there", 0o755)
        self.assertEqual(build.missing(self.folder, ["there", "empty", "gone"]), ["empty", "gone"])

    def test_a_go_that_is_too_old_and_gets_no_other_is_named(self):
        build.write(f"{self.folder}/go", "#!/bin/sh\necho go1.19.8\n")
        os.chmod(f"{self.folder}/go", 0o755)
        around = {"PATH": f"{self.folder}:{os.environ['PATH']}", "XDG_CACHE_HOME": self.folder}
        with unittest.mock.patch.dict(os.environ, around), \
                self.assertRaisesRegex(RuntimeError, r"1\.19\.8 is too old"):
            build.go_program()


class ProcessesTest(Temporary):
    def setUp(self):
        super().setUp()
        self.runs = processes.Processes(self.folder)

    def start(self, name, *command):
        self.runs.start(name, list(command))
        self.addCleanup(self.runs.stop, name, 0)

    def test_a_name_with_brackets_does_not_hide_the_rest(self):
        line = "12 (a) b (c)) S 7 " + " ".join(str(n) for n in range(5, 22)) + " 4242 0"
        self.assertEqual(processes.parse_stat(line), (12, "S", 7, 4242))

    def test_a_process_is_found_by_its_record_and_started_once(self):
        self.start("one", "sleep", "1000")
        self.assertFalse(self.runs.start("one", ["sleep", "1000"]))
        again = processes.Processes(self.folder)
        self.assertEqual(again.pid("one"), self.runs.pid("one"))
        self.assertIsNotNone(again.pid("one"))

    def test_it_is_gone_when_stop_returns(self):
        self.start("one", "sleep", "1000")
        pid = self.runs.pid("one")
        self.runs.stop("one")
        self.assertTrue(processes.stat(pid) is None or processes.stat(pid)[1] == "Z")
        self.assertEqual(self.runs.names(), [])

    def test_one_that_ignores_the_word_is_ended_by_force(self):
        self.start("deaf", "sh", "-c", "trap '' TERM; touch ready; while :; do sleep 1; done")
        self.runs.stop("deaf", grace=0.1)
        self.assertIsNone(self.runs.pid("deaf"))

    def test_a_child_goes_with_its_parent(self):
        self.start("parent", "sh", "-c", "sleep 1000; true")
        child = processes.wait_for(lambda: self.runs.inner_pid("parent"), 10, "the child")
        self.runs.stop("parent")
        self.assertTrue(processes.stat(child) is None or processes.stat(child)[1] == "Z")

    def test_somebody_elses_process_with_the_same_pid_is_left_alone(self):
        other = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        os.makedirs(self.runs.pids)
        with open(f"/proc/{other.pid}/stat", encoding="ascii") as file:
            line = file.read().strip()
        began = processes.parse_stat(line)[3]
        for record in (f"{line.replace(f' {began} ', f' {began - 1} ')}\n{processes.boot_id()}\n",
                       f"{line}\nanother boot\n", "", "x"):
            build.write(f"{self.runs.pids}/other", record)
            self.assertIsNone(self.runs.pid("other"))
            self.runs.signal("other", signal.SIGKILL)
            self.runs.stop("other", grace=0)
            self.assertIsNone(other.poll(), "it still runs")
        build.write(f"{self.runs.pids}/other", f"{line}\n{processes.boot_id()}\n")
        self.assertEqual(self.runs.pid("other"), other.pid)


class MachineTest(unittest.TestCase):
    def test_nine_nodes_have_addresses_of_their_own(self):
        names = [f"node-{n}" for n in range(1, 10)]
        self.assertEqual(len({machine.address(name) for name in names}), 9)
        self.assertEqual(len({machine.pods(name) for name in names}), 9)
        self.assertNotIn(machine.CONTROL_ADDRESS, map(machine.address, names))

    def test_three_nodes_are_in_three_zones(self):
        self.assertEqual([node.zone(f"node-{n}") for n in (1, 2, 3, 4)],
                         ["zone-1", "zone-2", "zone-3", "zone-1"])

    def test_a_cut_names_the_server_and_nobody_else(self):
        for chain, *rule in machine.cut_rules():
            self.assertIn(chain, ("INPUT", "OUTPUT", "FORWARD"))
            self.assertIn(machine.CONTROL_ADDRESS, rule)
            self.assertTrue({"--dport", "--sport"} & set(rule), "a port, so that DNS still flows")


class ImagesTest(Temporary):
    def make(self, name="a.tar"):
        program = f"{self.folder}/program"
        build.write(program, "#!/nowhere\n")
        images.write_archive(f"{self.folder}/{name}", ["example.com/x/program:v1"],
                             {"usr/local/bin/program": program}, {"User": "7"})
        return f"{self.folder}/{name}"

    def test_an_archive_says_truly_what_is_in_it(self):
        with tarfile.open(self.make()) as tar:
            manifest = json.load(tar.extractfile("manifest.json"))[0]
            config = tar.extractfile(manifest["Config"]).read()
            layer = tar.extractfile(manifest["Layers"][0]).read()
        self.assertEqual(manifest["RepoTags"], ["example.com/x/program:v1"])
        self.assertEqual(manifest["Config"], hashlib.sha256(config).hexdigest() + ".json")
        self.assertEqual(json.loads(config)["rootfs"]["diff_ids"],
                         ["sha256:" + hashlib.sha256(layer).hexdigest()])
        self.assertEqual(json.loads(config)["config"]["User"], "7")

    def test_the_image_has_no_shell_and_no_libc(self):
        with tarfile.open(self.make()) as tar, \
                tarfile.open(fileobj=tar.extractfile("layer.tar")) as layer:
            members = {member.name: member for member in layer.getmembers()}
        self.assertEqual(sorted(members), ["etc", "etc/passwd", "tmp", "usr", "usr/local",
                                           "usr/local/bin", "usr/local/bin/program"])
        self.assertEqual(members["usr/local/bin/program"].mode, 0o755)

    def test_the_same_programs_give_the_same_bytes(self):
        with open(self.make("a.tar"), "rb") as one, open(self.make("b.tar"), "rb") as other:
            self.assertEqual(one.read(), other.read())


def claim(uid="1", bound="", requested="1Gi", has="", node_name="node-2", **meta):
    notes = {"volume.kubernetes.io/storage-provisioner": volumes.PROVISIONER}
    if node_name:
        notes["volume.kubernetes.io/selected-node"] = node_name
    return {"metadata": {"name": "data", "namespace": "shop", "uid": uid, "annotations": notes,
                         **meta},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
                     "volumeName": bound, "resources": {"requests": {"storage": requested}}},
            "status": {"phase": "Bound", "capacity": {"storage": has}} if bound
            else {"phase": "Pending"}}


def volume(phase="Bound", policy="Delete", of=None):
    made = volumes.volume_object(of or claim(), "node-2", policy)
    return made | {"status": {"phase": phase}}


class VolumesTest(unittest.TestCase):
    def acts(self, claims, there=()):
        return [act for act, *_ in volumes.decide(claims, list(there))]

    def test_quantities(self):
        for text, value in (("1Gi", 2**30), ("500M", 500 * 10**6), ("12", 12), ("0", 0)):
            self.assertEqual(volumes.quantity(text), value)
        self.assertEqual(volumes.quantity("1.5Ki"), 1536)

    def test_a_claim_gets_its_volume_once_a_node_was_chosen(self):
        self.assertEqual(volumes.decide([claim()], []), [("provision", claim(), "node-2")])
        self.assertEqual(self.acts([claim(node_name="")]), [])
        self.assertEqual(self.acts([claim()], [volume("Available")]), [], "it was made already")
        self.assertEqual(self.acts([claim(deletionTimestamp="now")]), [])

    def test_claims_of_other_provisioners_are_left_alone(self):
        other = claim()
        other["metadata"]["annotations"]["volume.kubernetes.io/storage-provisioner"] = "other"
        self.assertEqual(self.acts([other]), [])

    def test_the_volume_belongs_to_its_node_and_to_its_claim(self):
        made = volumes.volume_object(claim(uid="u"), "node-2", "Delete")
        self.assertEqual(volumes.node_of(made), "node-2")
        self.assertEqual(made["spec"]["claimRef"]["uid"], "u")
        self.assertEqual(made["spec"]["local"]["path"], "/var/lib/volumes/pvc-u")

    def test_a_claim_that_asks_for_more_grows(self):
        self.assertEqual(self.acts([claim(bound="pvc-1", has="1Gi")], [volume()]), [])
        self.assertEqual(self.acts([claim(bound="pvc-1", has="1Gi", requested="2Gi")],
                                   [volume()]), ["grow"])
        self.assertEqual(self.acts([claim(bound="pvc-1", has="1Gi", requested="2Gi")],
                                   [volume(of=claim(requested="2Gi"))]), ["grow"],
                         "the volume has grown, the claim does not say so yet")

    def test_what_was_released_goes_by_its_policy(self):
        self.assertEqual(volumes.decide([], [volume("Released")])[0][2], "node-2")
        self.assertEqual(self.acts([], [volume("Released", "Retain")]), [])
        self.assertEqual(self.acts([], [volume("Bound")]), [])
        foreign = volume("Released")
        foreign["metadata"]["annotations"] = {}
        self.assertEqual(self.acts([], [foreign]), [])


class TestbedTest(Temporary):
    def test_names_are_checked(self):
        for name in ("", "A", "../x", "-a", "a-", "x" * 21, "a b"):
            with self.assertRaises(ValueError):
                testbed.named(name)

    def test_ports_are_free_distinct_and_below_the_kernels_own(self):
        ports = testbed.free_ports(testbed.PORTS)
        self.assertEqual(sorted(ports), sorted(testbed.PORTS))
        self.assertEqual(len(set(ports.values())), len(ports))
        self.assertTrue(all(1024 < port < 32768 for port in ports.values()))

    def test_a_node_is_ready_only_when_it_says_so(self):
        self.assertFalse(testbed.is_ready({"status": {}}))
        for word, ready in (("True", True), ("False", False), ("Unknown", False)):
            conditions = [{"type": "Ready", "status": word}]
            self.assertEqual(testbed.is_ready({"status": {"conditions": conditions}}), ready)

    def test_down_of_one_that_was_never_begun(self):
        testbed.Testbed(f"{self.folder}/nothing").down()
        self.assertEqual(os.listdir(self.folder), [])

    def test_one_that_was_interrupted_at_its_very_begin_goes_down(self):
        bed = testbed.Testbed(f"{self.folder}/half")
        bed.runs.start("etcd", ["sleep", "1000"])
        pid = bed.runs.pid("etcd")
        bed.down()
        self.assertFalse(os.path.exists(bed.folder))
        self.assertTrue(processes.stat(pid) is None or processes.stat(pid)[1] == "Z")

    def test_certificates_are_made_once(self):
        authority = pki.Authority(self.folder)
        authority.issue("user", "me", "us", "DNS:here")
        with open(authority.path("user.crt"), "rb") as file:
            first = file.read()
        pki.Authority(self.folder).issue("user", "me", "us", "DNS:here")
        with open(authority.path("user.crt"), "rb") as file:
            self.assertEqual(file.read(), first)
        self.assertEqual(os.stat(authority.path("user.key")).st_mode & 0o777, 0o600)
        subprocess.run(["openssl", "verify", "-CAfile", authority.path("ca.crt"),
                        authority.path("user.crt")], check=True, capture_output=True)


class CommandsTest(Temporary):
    def run_it(self, name, *arguments):
        environment = dict(os.environ, XDG_STATE_HOME=self.folder)
        environment.pop("TESTBED", None)
        return subprocess.run([f"{HERE}/{name}", *arguments], env=environment, text=True,
                              capture_output=True, check=False)

    def test_every_command_explains_itself(self):
        for name in ("up", "down", "kubectl", "run", "load-image", "node", "apiserver"):
            done = self.run_it(name, "--help")
            self.assertEqual(done.returncode, 0, name)
            self.assertIn("--name", done.stdout, name)

    def test_a_testbed_that_is_not_there_is_named(self):
        for name, *arguments in (["kubectl", "get", "pods"], ["node", "stop", "node-1"],
                                 ["run", "true"], ["apiserver", "stop"], ["load-image", "x"]):
            done = self.run_it(name, *arguments)
            self.assertEqual(done.returncode, 1, name)
            self.assertIn("there is no testbed 'default'", done.stderr, name)

    def test_bad_words_change_nothing(self):
        for arguments in (["--kubernetes", "1.2"], ["--nodes", "0"], ["--name", "../x"]):
            self.assertNotEqual(self.run_it("up", *arguments).returncode, 0)
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    unittest.main()
