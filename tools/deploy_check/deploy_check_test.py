#!/usr/bin/env python3
"""What tools/deploy-check must not let pass."""
import unittest

import cel
import schema


class Cel(unittest.TestCase):
    def test_values(self):
        it = {"a": 1, "b": "x-client", "c": {"d": []}}
        for text, wanted in [("has(self.a)", True), ("has(self.z)", False),
                             ("!has(self.z) || self.z > 1", True), ("self.a == 1 ? 2 : 3", 2),
                             ("[has(self.a), has(self.z)].filter(x, x).size() == 1", True),
                             ("self.b.endsWith('-client')", True), ("'a' in self", True),
                             ("self.b.matches('^[a-z-]+$')", True), ("self.c.d.size()", 0),
                             ("self.all(k, k != 'z')", True), ("1 + 2 <= 2", False)]:
            self.assertEqual(cel.evaluate(text, it), wanted, text)

    def test_what_is_not_known_is_no_rule(self):
        for text in ["self.a ==", "self.a == 1 2", "has(self", "self @ 1"]:
            with self.assertRaises(cel.Wrong, msg=text):
                cel.parse(text)
        for text in ["self.z == 1", "self.a.unheard()", "unheard(self)", "other == 1"]:
            with self.assertRaises(cel.Wrong, msg=text):
                cel.evaluate(text, {"a": 1})


class Schema(unittest.TestCase):
    def test_broken_schemas(self):
        for node in [{}, {"type": "object", "required": ["a"]}, {"type": "array"},
                     {"type": "string", "enum": ["a"], "default": "b"}, {"type": "string", "$ref": "x"},
                     {"type": "object", "properties": {"a": {}}},
                     {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}},
                     {"type": "string", "x-kubernetes-validations": [{"rule": "self == 'a'"}]},
                     {"type": "string",
                      "x-kubernetes-validations": [{"rule": "self ==", "message": "m"}]}]:
            self.assertTrue(schema.structural(node), node)
        self.assertEqual(schema.structural({"type": "object", "properties": {}}), [])

    def problems(self, node, spec):
        root = {"type": "object", "properties": {"metadata": {"type": "object"}, "spec": node}}
        return schema.validate(root, {"metadata": {"name": "a"}, "spec": spec})

    def test_values(self):
        size = {"type": "integer", "minimum": 1, "maximum": 9, "format": "int32"}
        for value, good in [(1, True), (9, True), (0, False), (10, False), ("3", False),
                            (2.5, False), (3.0, True), (None, False), (True, False)]:
            self.assertEqual(self.problems(size, value)[0] == [], good, value)
        word = {"type": "string", "pattern": "^a$", "maxLength": 3, "not": {"pattern": "z"}}
        self.assertEqual(self.problems(word, "a")[0], [])
        for value in ["a\n", "b", "az"]:
            self.assertTrue(self.problems(word, value)[0], value)

    def test_unknown_fields_and_defaults(self):
        node = {"type": "object", "properties": {"a": {"type": "string", "default": "x"}},
                "x-kubernetes-validations": [{"rule": "self.a == 'x'", "message": "only x"}]}
        self.assertEqual(self.problems(node, {}), ([], []))
        self.assertEqual(self.problems(node, {"b": 1})[1], ["spec.b"])
        self.assertEqual(self.problems(node, {"a": "y"})[0], ["spec: only x"])


if __name__ == "__main__":
    unittest.main()
