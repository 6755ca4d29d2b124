"""A small reader of structural OpenAPI schemas, as API servers take them for CRDs; it shares nothing
with the code that writes them. CEL rules are evaluated by cel.py."""
import datetime
import re

import cel

KEYWORDS = {"type", "description", "properties", "required", "items", "additionalProperties", "enum",
            "default", "format", "pattern", "minimum", "maximum", "minLength", "maxLength",
            "minItems", "maxItems", "maxProperties", "anyOf", "not", "x-kubernetes-int-or-string",
            "x-kubernetes-preserve-unknown-fields", "x-kubernetes-list-type",
            "x-kubernetes-list-map-keys", "x-kubernetes-map-type", "x-kubernetes-validations"}


def structural(node, path="", root=True):
    """What would make an API server refuse the schema itself."""
    out = [f"{path}: unknown keyword {key}" for key in node if key not in KEYWORDS]
    int_or_string = node.get("x-kubernetes-int-or-string", False)
    anything = node.get("x-kubernetes-preserve-unknown-fields", False)
    if "type" not in node and not int_or_string and not anything:
        out.append(f"{path}: no type")
    if int_or_string and "type" in node:
        out.append(f"{path}: a type beside int-or-string")
    if "properties" in node and "additionalProperties" in node:
        out.append(f"{path}: properties beside additionalProperties")
    if node.get("type") == "array" and "items" not in node:
        out.append(f"{path}: an array without items")
    for name in node.get("required", []):
        if name not in node.get("properties", {}):
            out.append(f"{path}: requires {name}, which is not there")
    for key in ("anyOf", "not"):
        for part in node[key] if key == "anyOf" and key in node else [node.get(key)]:
            if part and set(part) & {"description", "default", "properties", "additionalProperties"}:
                out.append(f"{path}: {key} may hold value validations only")
    if "default" in node:
        errors, unknown = [], []
        walk(node, node["default"], path, errors, unknown, rules=False)
        out += [f"{path}: its default is wrong: {text}" for text in errors + unknown]
    for name in node.get("x-kubernetes-list-map-keys", []):
        if name not in node["items"].get("required", []):
            out.append(f"{path}: the key {name} is not required of its items")
    for rule in node.get("x-kubernetes-validations", []):
        if not rule.get("message"):
            out.append(f"{path}: a rule without a message")
        try:
            cel.parse(rule["rule"])
        except cel.Wrong as wrong:
            out.append(f"{path}: {rule['rule']}: {wrong}")
    if root and "metadata" in node.get("properties", {}):
        if set(node["properties"]["metadata"]) - {"type", "description"}:
            out.append(f"{path}: metadata may only have a type")
    for name, child in node.get("properties", {}).items():
        out += structural(child, f"{path}.{name}" if path else name, False)
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            out += structural(node[key], f"{path}[]", False)
    return out


def validate(root, document):
    """(errors, unknown fields) of one object: defaults first, then everything else."""
    errors, unknown = [], []
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(
            metadata.get("name", metadata.get("generateName")), str):
        return ["metadata.name: is required"], []
    # A server makes the name before it looks at rules.
    metadata.setdefault("name", f"{metadata.get('generateName')}x7k2p")
    fill(root, document)
    # Rules run only on what has the right shape, as in an API server.
    walk(root, document, "", errors, unknown, rules=False)
    if not errors:
        walk(root, document, "", errors, [], rules=True)
    return errors, unknown


def fill(node, value):
    if isinstance(value, dict):
        for name, child in node.get("properties", {}).items():
            if name in value and value[name] is None and "default" in child:
                del value[name]
            if name not in value and "default" in child:
                value[name] = child["default"]
            if name in value:
                fill(child, value[name])
        if isinstance(node.get("additionalProperties"), dict):
            for item in value.values():
                fill(node["additionalProperties"], item)
    elif isinstance(value, list):
        for item in value:
            fill(node.get("items", {}), item)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def type_fits(node, value):
    if node.get("x-kubernetes-int-or-string"):
        return isinstance(value, (int, str)) and not isinstance(value, bool)
    whole = is_number(value) and float(value).is_integer()
    return {"object": isinstance(value, dict), "array": isinstance(value, list),
            "string": isinstance(value, str), "boolean": isinstance(value, bool),
            "integer": whole, "number": is_number(value)}.get(node.get("type"), True)


def value_errors(node, value):
    if "enum" in node and value not in node["enum"]:
        yield f"{value!r} is not one of {', '.join(map(str, node['enum']))}"
    if is_number(value):
        if value < node.get("minimum", value):
            yield f"{value} is below {node['minimum']}"
        if value > node.get("maximum", value):
            yield f"{value} is above {node['maximum']}"
        if node.get("format") == "int32" and abs(value) >= 2**31:
            yield f"{value} does not fit into 32 bits"
    if isinstance(value, str):
        if len(value) > node.get("maxLength", len(value)):
            yield f"is longer than {node['maxLength']}"
        if len(value) < node.get("minLength", 0):
            yield "is too short"
        # $ of these patterns is the end of the text, which Python writes \\Z.
        if "pattern" in node and not matches(node["pattern"], value):
            yield f"{value!r} does not match {node['pattern']}"
        if node.get("format") == "date-time" and not is_time(value):
            yield f"{value!r} is not a time"
    if isinstance(value, list) and len(value) > node.get("maxItems", len(value)):
        yield f"has more than {node['maxItems']} items"
    if "not" in node and not list(value_errors(node["not"], value)):
        yield f"{value!r} is excluded"
    if "anyOf" in node and not any(type_fits(part, value) for part in node["anyOf"]):
        yield f"{value!r} has a wrong type"


def matches(pattern, value):
    return re.search(pattern.replace("$", r"\Z"), value, re.ASCII) is not None


def is_time(value):
    try:
        datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
        return "T" in value
    except ValueError:
        return False


def walk(node, value, path, errors, unknown, rules):
    if value is None and path:
        if not rules:
            errors.append(f"{path}: null is not allowed")
        return
    if not rules:
        if not type_fits(node, value):
            errors.append(f"{path}: {value!r} is no {node.get('type', 'integer or string')}")
            return
        errors += [f"{path}: {text}" for text in value_errors(node, value)]
    else:
        for rule in node.get("x-kubernetes-validations", []):
            # Rules on edits need the object that was there before.
            if "oldSelf" not in rule["rule"] and not cel.evaluate(rule["rule"], value):
                errors.append(f"{path}: {rule['message']}" if path else rule["message"])
    if isinstance(value, dict):
        walk_object(node, value, path, errors, unknown, rules)
    elif isinstance(value, list) and "items" in node:
        for place, item in enumerate(value):
            walk(node["items"], item, f"{path}[{place}]", errors, unknown, rules)


def walk_object(node, value, path, errors, unknown, rules):
    below = f"{path}." if path else ""
    if not rules:
        errors += [f"{below}{name}: is required" for name in node.get("required", [])
                   if name not in value]
    for name, item in value.items():
        child = node.get("properties", {}).get(name, node.get("additionalProperties"))
        if isinstance(child, dict):
            if path == "" and name == "metadata":
                continue  # the API server's own
            walk(child, item, f"{below}{name}", errors, unknown, rules)
        elif not node.get("x-kubernetes-preserve-unknown-fields"):
            unknown.append(f"{below}{name}")
