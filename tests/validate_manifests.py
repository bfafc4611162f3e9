#!/usr/bin/env python3
"""Validates rendered manifests strictly against the schemas of several versions of Kubernetes.

Usage: validate_manifests.py VERSIONS FILE...

VERSIONS is a list such as 1.32,1.36. Each FILE holds YAML documents. An object of a kind that Kubernetes does not have must be
of a custom resource whose definition stands in one of the files, and is validated against that. Prints a line for each
problem and ends with 1 if there was any; else the last line counts what was validated.
"""

import copy
import functools
import sys

import jsonschema
import yaml
from kubernetes_validate import utils

# The definitions of a version are a megabyte that every object refers to.
utils.schema_contents = functools.lru_cache(maxsize=None)(utils.schema_contents)


def closed(schema):
    """The schema with properties that it does not name refused, as an API server prunes them, and exclusive bounds as
    JSON Schema writes them now."""
    schema = copy.deepcopy(schema)
    if isinstance(schema, dict):
        for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if schema.pop(exclusive, False):
                schema[exclusive] = schema.pop(bound)
        if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
        for key in ("properties", "patternProperties"):
            for name, part in schema.get(key, {}).items():
                schema[key][name] = closed(part)
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                schema[key] = closed(schema[key])
    return schema


def custom_schemas(objects):
    """Schemas by apiVersion and kind of the definitions among the objects."""
    found = {}
    for one in objects:
        if one["kind"] != "CustomResourceDefinition":
            continue
        for version in one["spec"]["versions"]:
            schema = closed(version["schema"]["openAPIV3Schema"])
            if "properties" in schema:
                schema["properties"].update(apiVersion={"type": "string"}, kind={"type": "string"}, metadata={"type": "object"})
            found[f'{one["spec"]["group"]}/{version["name"]}', one["spec"]["names"]["kind"]] = schema
    return found


def problems(one, version, custom):
    """What is wrong with an object, a sentence each."""
    name = f'{one["kind"]} {one["metadata"].get("namespace", "")}/{one["metadata"]["name"]} ({version})'
    try:
        if (one["apiVersion"], one["kind"]) in custom:
            jsonschema.Draft202012Validator(custom[one["apiVersion"], one["kind"]]).validate(one)
        else:
            utils.validate(one, version, strict=True)
    except jsonschema.ValidationError as error:
        yield f'{name}: {".".join(map(str, error.path))}: {error.message[:300]}'
    except utils.SchemaNotFoundError:
        yield f'{name}: {one["apiVersion"]} is no kind of Kubernetes, and no definition of it was given'


def main(versions, files):
    objects = {file: [one for one in yaml.safe_load_all(open(file, encoding="utf-8")) if one] for file in files}
    custom = custom_schemas([one for each in objects.values() for one in each])
    count, wrong = 0, 0
    for file, each in objects.items():
        if not each:
            print(f"{file}: holds no object")
            wrong += 1
        for version in versions:
            for one in each:
                count += 1
                for problem in problems(one, version, custom):
                    print(f"{file}: {problem}")
                    wrong += 1
    print(f"validated {count} objects, {wrong} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].split(","), sys.argv[2:]))
